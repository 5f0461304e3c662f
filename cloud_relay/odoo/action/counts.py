# count.recorded, as of the time of the count. Invariants: a count says what was there at its instant and
# nothing about today: Odoo is adjusted by the difference to the figure of that instant, dated then. It
# stays as an anchor even when nothing differs: what turns out later to have happened before it is
# repaired at it. Several counts become one set of moves.


def look_up_loss(product):
    return product.with_company(state["company"]).property_stock_inventory


def repair(event, place, anchor, delta):
    # What has to be undone at the first count that followed, because the count had seen it.
    return {
        "kind": "repair",
        "place": place,
        "delta": delta,
        "time": anchor[0],
        "sources": [{"event": {"key": event["key"], "device": anchor[1]}, "quantity": abs(delta)}],
        "name": "Known only after the count of %s UTC, which had seen it" % str(anchor[0])[:19],
    }


def repair_notes(repairs):
    notes = []
    for row in repairs:
        note = "counted since: %s stays as of %s UTC" % (
            place_text(row["place"]),
            str(row["time"])[:19],
        )
        if note not in notes:
            notes.append(note)
    return notes


def together(rows):
    # Repairs of one place at one anchor in one direction are one move.
    merged, order = {}, []
    for row in rows:
        key = (row["kind"], row["place"], row["time"], row["sources"][0]["event"]["device"])
        key = key + (row["delta"] > 0,)
        if row["kind"] == "repair" and key in merged:
            merged[key]["delta"] += row["delta"]
            merged[key]["sources"] += row["sources"]
        else:
            merged[key] = dict(row, sources=list(row["sources"]))
            order.append(merged[key])
    return order


def adjustment_values(row):
    place, product = row["place"], env["product.product"].browse(row["place"][0])
    loss = cached("loss", look_up_loss, product).id
    quantity = rounded(abs(row["delta"]), product)
    ends = {
        "location_id": loss if row["delta"] > 0 else place[1],
        "location_dest_id": place[1] if row["delta"] > 0 else loss,
    }
    line = dict(
        ends,
        product_id=product.id,
        product_uom_id=product.uom_id.id,
        quantity=quantity,
        company_id=state["company"].id,
        lot_id=place[2] or False,
        package_id=place[3] if row["delta"] < 0 and place[3] else False,
        result_package_id=place[3] if row["delta"] > 0 and place[3] else False,
        owner_id=place[4] or False,
    )
    named = "inventory_name" if "inventory_name" in env["stock.move"]._fields else "name"
    values = dict(
        ends,
        product_id=product.id,
        product_uom=product.uom_id.id,
        product_uom_qty=quantity,
        company_id=state["company"].id,
        state="confirmed",
        is_inventory=True,
        picked=True,
        restrict_partner_id=place[4] or False,
        move_line_ids=[Command.create(line)],
    )
    values[named] = row["name"]
    return values


def adjust(rows):
    # Rows with kind, place, delta, time, name, sources; what comes in goes first, so that nothing
    # dips below zero on the way and frees reservations. Each row gets its `move`.
    rows = together(rows)
    rows = [row for row in rows if row["delta"] > 0] + [row for row in rows if row["delta"] < 0]
    if not rows:
        return rows
    Move = env["stock.move"].with_context(tracking_disable=True)
    moves = Move.create([adjustment_values(row) for row in rows])
    moves.with_context(ignore_dest_packages=True)._action_done()
    times, effects, more = {}, [], env["stock.move"]
    for row, move in zip(rows, moves):
        if move.state != "done":
            refuse("odoo_refused", "Odoo did not adjust %s." % place_text(row["place"]))
        row["move"] = move
        if row["delta"] > 0:
            more |= move
        line = move.move_line_ids
        times[line] = dated_at(row["time"])[0]
        for source in row["sources"]:
            effects.append(
                {
                    "event": source["event"],
                    "kind": row["kind"],
                    "move_line": line,
                    "product": line.product_id,
                    "source": env["stock.location"].browse(row["place"][1]),
                    "destination": env["stock.location"],
                    "lot": line.lot_id,
                    "package": env[PACKAGE_MODEL].browse(row["place"][3]),
                    "quantity": source["quantity"],
                    "time": row["time"],
                    "state": "done",
                    "counted": source.get("counted"),
                }
            )
    redate(times)
    note_effects(effects)
    more._trigger_assign()
    return rows


def place_counted(event):
    data = event["data"]
    goods = find_goods(data)
    location = find_location(data["location"])
    product = goods["product"]
    if not holds_stock(product, location):
        refuse(
            "wrong_location" if location.usage not in STORED_IN else "odoo_refused",
            "Odoo keeps no stock of %s at %s: there is nothing to count."
            % (product.display_name, location.complete_name),
        )
    lot = need_lot(goods)
    package = need_package(goods["package"]) if goods["package"] else None
    return place_of(product, location, lot, package), goods["quantity"]


def plan_counts(events):
    # (book, counts): each count with its place, what was counted, its order and the difference.
    counts, places, earliest = [], set(), None
    for number, event in enumerate(events):
        place, counted = place_counted(event)
        order = order_of(event, number)
        counts.append({"event": event, "place": place, "counted": counted, "order": order})
        places.add(place)
        if earliest is None or order[0] < earliest:
            earliest = order[0]
    book = open_book(places, earliest)
    for count in counts:
        place, order = count["place"], count["order"]
        count["delta"] = count["counted"] - figure(book, place, order)
        count["anchor"] = change(book, place, order, count["delta"])
        book["anchors"][place].append(order)
    for count in counts:
        if count["delta"] < 0:
            refuse_shortage(book, count["place"], count["order"], -count["delta"])
    return counts


def mark_counted(counts):
    # Odoo plans its next cyclic count from here.
    days = {}
    for count in counts:
        location = env["stock.location"].browse(count["place"][1])
        day = dated_at(count["order"][0])[0].date()
        if location not in days or days[location] < day:
            days[location] = day
    for location in days:
        known = location.last_inventory_date
        if not known or known < days[location]:
            location.sudo().write({"last_inventory_date": days[location]})


def rows_of_count(count):
    # What changes in Odoo for one count: nothing, the difference, or the difference and its repair
    # at a count that was made later and is known already.
    product = env["product.product"].browse(count["place"][0])
    if same(count["delta"], 0.0, product):
        return []
    event, time = count["event"], count["order"][0]
    row = {
        "kind": "count",
        "place": count["place"],
        "delta": count["delta"],
        "time": time,
        "name": "Counted %s by %s at %s UTC"
        % (figure_text(count["counted"]), event["device"], str(time)[:19]),
        "sources": [{"event": event, "quantity": abs(count["delta"]), "counted": count["counted"]}],
    }
    if not count["anchor"]:
        return [row]
    return [row, repair(event, count["place"], count["anchor"], -count["delta"])]


def anchor_of(count):
    # The anchor of a count that changed nothing.
    place = count["place"]
    return {
        "event": count["event"],
        "kind": "count",
        "product": env["product.product"].browse(place[0]),
        "source": env["stock.location"].browse(place[1]),
        "lot": env["stock.lot"].browse(place[2]),
        "package": env[PACKAGE_MODEL].browse(place[3]),
        "quantity": 0.0,
        "time": count["order"][0],
        "state": "done",
        "counted": count["counted"],
    }


def apply_counts(events):
    counts = plan_counts(events)
    rows, anchors, moves, answers = [], [], {}, []
    for count in counts:
        count["rows"] = rows_of_count(count)
        rows += count["rows"]
        if not count["rows"]:
            anchors.append(anchor_of(count))
    note_effects(anchors)
    for row in adjust(rows):
        if row["kind"] == "count":
            moves[row["sources"][0]["event"]["key"]] = row["move"]
    mark_counted(counts)
    for count in counts:
        notes = [dated_at(count["order"][0])[1]] + repair_notes(count["rows"][1:])
        answers.append(applied(*([moves.get(count["event"]["key"])] + notes)))
    return answers


HANDLERS["count.recorded"] = apply_counts
