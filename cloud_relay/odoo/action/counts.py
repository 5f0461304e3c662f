# count.recorded, as of the time of the count. Invariants: a count says what was there at its instant and
# nothing about today: Odoo is adjusted by the difference to the figure of that instant, dated then. It
# stays as an anchor even when nothing differs: what turns out later to have happened before it is
# repaired at it. Several counts become one set of moves.


def look_up_loss(product):
    return product.with_company(state["company"]).property_stock_inventory


def repairs_of(event, follows):
    # What follows from an event that became known late (see `change`), as rows to adjust.
    rows = []
    for order, place, to, delta in follows:
        if to is None:
            name = "Known only after the count of %s UTC, which had seen it"
        else:
            name = "Known only after the pallet had moved at %s UTC"
        rows.append(
            {
                "kind": "repair",
                "place": place,
                "to": to,
                "delta": delta if to else -delta,
                "time": order[0],
                "sources": [
                    {"event": {"key": event["key"], "device": order[1]}, "quantity": abs(delta)}
                ],
                "name": name % str(order[0])[:19],
            }
        )
    return rows


def takings_of(order, place, delta, follows):
    # Where a change takes something away: [(place, order)], to be judged.
    takings = [(place, order)] if delta < 0 else []
    for at, place, to, delta in follows:
        if to is not None and delta < 0:
            takings.append((to, at))
    return takings


def repair_notes(repairs):
    notes = []
    for row in repairs:
        what = "moved with its pallet since" if row["to"] else "counted since"
        note = "%s: %s at %s UTC" % (what, place_text(row["place"]), str(row["time"])[:19])
        if note not in notes:
            notes.append(note)
    return notes


def together(rows):
    # Repairs of one place at one anchor in one direction are one move.
    merged, order = {}, []
    for row in rows:
        key = (row["kind"], row["place"], row["time"], row["sources"][0]["event"]["device"])
        key = key + (row["delta"] > 0, row.get("to"))
        if row["kind"] == "repair" and key in merged:
            merged[key]["delta"] += row["delta"]
            merged[key]["sources"] += row["sources"]
        else:
            merged[key] = dict(row, sources=list(row["sources"]))
            order.append(merged[key])
    return order


def adjustment_values(row):
    place, product = row["place"], env["product.product"].browse(row["place"][0])
    quantity = rounded(abs(row["delta"]), product)
    if row.get("to"):
        ends, packages = (place[1], row["to"][1]), (place[3], place[3])
    else:
        loss = cached("loss", look_up_loss, product).id
        ends, packages = (place[1], loss), (place[3], 0)
        row = dict(row, delta=-row["delta"])
    if row["delta"] < 0:
        ends, packages = ends[::-1], packages[::-1]
    ends = {"location_id": ends[0], "location_dest_id": ends[1]}
    line = dict(
        ends,
        product_id=product.id,
        product_uom_id=product.uom_id.id,
        quantity=quantity,
        company_id=state["company"].id,
        lot_id=place[2] or False,
        package_id=packages[0] or False,
        result_package_id=packages[1] or False,
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


def plan_adjustments(rows):
    # (rows, moves not yet done). What comes in goes first, so that nothing dips below zero on the
    # way and frees what is reserved; carrying goes last.
    rows, moves = together(rows), env["stock.move"].with_context(tracking_disable=True)
    sorted_rows = []
    for to, sign in ((False, 1), (False, -1), (True, 1), (True, -1)):
        for row in rows:
            if bool(row.get("to")) == to and row["delta"] * sign > 0:
                sorted_rows.append(row)
    if sorted_rows:
        moves = moves.create([adjustment_values(row) for row in sorted_rows])
    return sorted_rows, moves


def settle_adjustments(rows, moves):
    # Dates what is done, and keeps it with the events. Each row gets its `move`.
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


def adjust(rows):
    # Rows with kind, place, delta, time, name, sources: applied at once; answered with their moves.
    rows, moves = plan_adjustments(rows)
    if rows:
        moves.with_context(ignore_dest_packages=True)._action_done()
        settle_adjustments(rows, moves)
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
        count["follows"] = change(book, place, order, count["delta"])
        book["anchors"][place].append(order)
    for count in counts:
        takings = takings_of(count["order"], count["place"], count["delta"], count["follows"])
        for place, order in takings:
            refuse_shortage(count["event"], book, place, order, -count["delta"])
    refuse_split(book)
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
    return [row] + repairs_of(event, count["follows"])


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
