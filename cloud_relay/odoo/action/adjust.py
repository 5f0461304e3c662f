# What adjusts Odoo's stock: the difference of a count, and the repair of what became known late. Invariants:
# it is an inventory move of one line, with every part of the place named; it is dated where it belongs,
# and kept with the event that caused it. A repair undoes at a count what the count had seen, or carries
# along with a pallet what turned out to be on it.


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
