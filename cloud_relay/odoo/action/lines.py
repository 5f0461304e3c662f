# transfer.line. Invariants: what was scanned adds up from zero, on lines of its own, keyed by (move,
# from, to, lot, package, packed into); what Odoo had reserved makes room for it and is never counted
# as done; what a user picked by hand is left alone and counts towards the demand. The sum of a line's
# open effects is its quantity: any other value was a user's edit, and stops the document's events.


def open_sums(picking):
    # Scanned quantity by move line id; None for lines that are gone.
    sums = {}
    for row in rows_of(
        "SELECT x_move_line_id AS line, sum(x_qty) AS quantity FROM x_edge_effect "
        "WHERE x_picking_id = %s AND x_kind = 'line' AND x_state = 'open' GROUP BY 1",
        [picking.id],
    ):
        sums[row["line"]] = row["quantity"]
    return sums


def check_unedited(picking, sums):
    # Odoo itself reserves nothing more for a move once a line of it is picked: a difference was a user.
    for line in picking.move_line_ids:
        scanned = sums.get(line.id)
        if scanned is None:
            continue
        if not line.picked or not same(line.quantity_product_uom, scanned, line.product_id):
            refuse(
                "edited_in_odoo",
                "On %s a user changed %s at %s: %s were scanned, Odoo now says %s%s."
                % (
                    picking.name,
                    line.product_id.display_name,
                    line.location_id.complete_name,
                    amount(scanned, line.product_id),
                    amount(line.quantity_product_uom, line.product_id),
                    "" if line.picked else ", not picked",
                ),
            )
    gone = 0
    for line_id in sums:
        if line_id not in picking.move_line_ids.ids and abs(sums[line_id]) > 1e-9:
            gone += sums[line_id]
    if gone:
        refuse(
            "edited_in_odoo",
            "On %s a user removed lines with %s scanned pieces."
            % (picking.name, figure_text(gone)),
        )


def take_out_of_packages(picking, sums):
    # When all that Odoo knows to be in a package is on one transfer, it packs the lines into that same
    # package, at any reservation. Goods that were scanned out of it do not take it along; what a
    # user packs goes into another one.
    for line in picking.move_line_ids:
        if line.id in sums and line.package_id and line.result_package_id == line.package_id:
            line.write({"result_package_id": False})


def scanned_on(picking):
    # What events recorded on an open document, by move line id; refused when a user changed it.
    sums = open_sums(picking)
    check_unedited(picking, sums)
    take_out_of_packages(picking, sums)
    return sums


def line_row(line, sums):
    # A move line as the plan sees it; quantities in the product's unit.
    return {
        "line": line,
        "move": line.move_id,
        "source": line.location_id,
        "destination": line.location_dest_id,
        "lot": line.lot_id,
        "package": line.package_id,
        "result": line.result_package_id,
        "picked": line.picked,
        "scanned": line.id in sums,
        "was": line.quantity_product_uom,
        "quantity": line.quantity_product_uom,
        "owner": line.owner_id,
    }


def plan_of(picking):
    # What is recorded and reserved on an open document, to be changed and then carried out.
    sums = scanned_on(picking)
    plan = {"picking": picking, "rows": [], "lots": {}, "packages": {}, "effects": []}
    for line in picking.move_line_ids:
        if line.state not in ("done", "cancel"):
            plan["rows"].append(line_row(line, sums))
    return plan


def unpick(plan, row, quantity):
    # So many of a scanned row are only reserved again.
    row["quantity"] -= quantity
    incoming = row["source"].usage not in ("internal", "transit")
    back = dict(row, line=None, picked=False, scanned=False, was=0.0, quantity=quantity)
    back["result"] = env[PACKAGE_MODEL]
    if incoming:
        back["lot"] = env["stock.lot"]
    for other in plan["rows"]:
        if not other["picked"] and not other["scanned"] and same_place(other, back):
            other["quantity"] += quantity
            return
    plan["rows"].append(back)


def same_place(row, place):
    return (
        row["move"] == place["move"]
        and row["source"] == place["source"]
        and row["destination"] == place["destination"]
        and row["lot"] == place["lot"]
        and row["package"] == place["package"]
        and row["result"] == place["result"]
        and row["owner"] == place["owner"]
    )


def inside_of(place, parent):
    return (place.parent_path or "").startswith(parent.parent_path or "?")


def moves_for(plan, product, source, destination):
    picking = plan["picking"]
    of_product, fitting = [], []
    for move in picking.move_ids:
        if move.product_id == product and move.state not in ("done", "cancel"):
            of_product.append(move)
            if (not source or inside_of(source, move.location_id)) and (
                not destination or inside_of(destination, move.location_dest_id)
            ):
                fitting.append(move)
    if not of_product:
        refuse("not_on_document", "%s is not on %s." % (product.display_name, picking.name))
    if not fitting:
        wrong = source
        for move in of_product:
            if source and inside_of(source, move.location_id):
                wrong = destination
        refuse(
            "wrong_location",
            "%s is not part of %s, which moves %s from %s to %s."
            % (
                (wrong or source or destination).complete_name,
                picking.name,
                product.display_name,
                of_product[0].location_id.complete_name,
                of_product[0].location_dest_id.complete_name,
            ),
        )
    return fitting


def demand_of(move):
    # In the product's unit. What is left of a dozen is 6.96 pieces to Odoo: 7 are meant.
    product = move.product_id
    if move.product_uom != product.uom_id and product.uom_id == PIECE:
        step = move.product_uom._compute_quantity(
            move.product_uom.rounding, product.uom_id, round=False
        )
        if abs(round(move.product_qty) - move.product_qty) <= step:
            return round(move.product_qty)
    return move.product_qty


def picked_on(plan, move):
    total = 0.0
    for row in plan["rows"]:
        if row["move"] == move and row["picked"]:
            total += row["quantity"]
    return total


def lot_for(plan, goods, incoming):
    product, name, picking = goods["product"], goods["lot"], plan["picking"]
    kind = picking.picking_type_id
    if product.tracking == "none":
        return env["stock.lot"]
    if not name and not kind.use_create_lots and not kind.use_existing_lots:
        return env["stock.lot"]
    if not name or not incoming or not kind.use_create_lots:
        return need_lot(goods)
    key = (product.id, name)
    if key not in plan["lots"]:
        plan["lots"][key] = find_lot(product, name) or make_lot(product, name)
    return plan["lots"][key]


def check_serial(plan, goods, lot, incoming):
    product = goods["product"]
    if product.tracking != "serial" or not lot:
        return
    if not same(goods["quantity"], 1.0, product):
        refuse(
            "bad_quantity",
            "Serial number %s of %s is one piece, not %s."
            % (lot.name, product.display_name, figure_text(goods["quantity"])),
        )
    for row in plan["rows"]:
        if row["lot"] == lot and row["picked"] and row["quantity"] > 0:
            refuse(
                "duplicate_serial",
                "Serial number %s of %s is already on %s."
                % (lot.name, product.display_name, plan["picking"].name),
            )
    if incoming:
        here = env["stock.quant"].search(
            [
                ("lot_id", "=", lot.id),
                ("quantity", ">", 0),
                ("location_id.usage", "in", ("internal", "transit")),
            ],
            limit=1,
        )
        if here:
            refuse(
                "duplicate_serial",
                "Serial number %s of %s is already in stock at %s."
                % (lot.name, product.display_name, here.location_id.complete_name),
            )


def package_for(plan, name, incoming):
    # (taken from, packed into): goods arrive in a package, or are taken out of one.
    none = env[PACKAGE_MODEL]
    if not name:
        return none, none
    if not incoming:
        return need_package(name), none
    if name not in plan["packages"]:
        plan["packages"][name] = find_package(name) or make_package(name)
    return none, plan["packages"][name]


def reserved_rows(plan, move, wanted):
    # What Odoo reserved for this move and the event does not contradict. A scan that names the place and
    # no package is of what lies loose there, whatever Odoo reserved: a move, a count and a scrap mean it
    # so too, and what Odoo knows lies loose would depend on what arrived.
    loose_only = wanted["source"] and not wanted["package"]
    found = []
    for row in plan["rows"]:
        if row["picked"] or row["scanned"] or row["move"] != move or row["quantity"] <= 0:
            continue
        if wanted["source"] and row["source"] != wanted["source"]:
            continue
        if wanted["lot"] and row["lot"] and row["lot"] != wanted["lot"]:
            continue
        if wanted["package"] and row["package"] != wanted["package"]:
            continue
        if loose_only and row["package"]:
            continue
        found.append(row)
    return found


def put(plan, event, move, place, quantity):
    # Add to the line of this exact key, or start one.
    target, place = None, dict(place, move=move)
    for row in plan["rows"]:
        if row["scanned"] and same_place(row, place):
            target = row
    if target is None:
        target = dict(place, line=None, picked=True, scanned=True, was=0.0, quantity=0.0)
        plan["rows"].append(target)
    target["quantity"] += quantity
    plan["effects"].append({"event": event, "row": target, "quantity": quantity})


def put_on_move(plan, event, move, wanted, quantity):
    left = quantity
    for row in reserved_rows(plan, move, wanted):
        take = min(left, row["quantity"])
        if take <= 0:
            break
        row["quantity"] -= take
        left -= take
        place = {
            "source": row["source"],
            "destination": wanted["destination"] or row["destination"],
            "lot": wanted["lot"] or row["lot"],
            "package": row["package"],
            "result": wanted["result"],
            "owner": row["owner"],
        }
        put(plan, event, move, place, take)
    if left > 1e-9:
        place = {
            "source": wanted["source"] or move.location_id,
            "destination": wanted["destination"] or move.location_dest_id,
            "lot": wanted["lot"],
            "package": wanted["package"],
            "result": wanted["result"],
            "owner": env["res.partner"],
        }
        put(plan, event, move, place, left)
    make_room(plan, move)


def make_room(plan, move):
    # What is picked and what is still reserved together never exceed the demand.
    over = -demand_of(move)
    for row in plan["rows"]:
        if row["move"] == move:
            over += row["quantity"]
    for row in plan["rows"]:
        if over <= 1e-9:
            break
        if row["move"] == move and not row["picked"] and not row["scanned"]:
            less_by = min(over, row["quantity"])
            row["quantity"] -= less_by
            over -= less_by


def plan_line(plan, event):
    data, picking = event["data"], plan["picking"]
    goods = find_goods(data)
    product = goods["product"]
    source = find_location(data["from"]) if data.get("from") else None
    destination = find_location(data["to"]) if data.get("to") else None
    moves = moves_for(plan, product, source, destination)
    incoming = moves[0].location_id.usage not in ("internal", "transit")
    lot = lot_for(plan, goods, incoming)
    check_serial(plan, goods, lot, incoming)
    package, result = package_for(plan, goods["package"], incoming)
    if package and not source and inside_of(package.location_id, moves[0].location_id):
        source = package.location_id
    wanted = {
        "source": source,
        "destination": destination,
        "lot": lot,
        "package": package,
        "result": result,
    }
    room, asked, recorded = [], 0.0, 0.0
    for move in moves:
        done = picked_on(plan, move)
        asked += demand_of(move)
        recorded += done
        room.append((move, max(0.0, demand_of(move) - done)))
    left = goods["quantity"]
    if less(asked, recorded + left, product):
        refuse(
            "over_quantity",
            "%s asks for %s of %s and %s are recorded: %s more are too many."
            % (
                picking.name,
                amount(asked, product),
                product.display_name,
                figure_text(recorded),
                figure_text(left),
            ),
        )
    for move, free in room:
        take = min(free, left)
        if take > 1e-9:
            put_on_move(plan, event, move, wanted, take)
            left -= take


def line_values(row):
    product = row["move"].product_id
    return {
        "quantity": rounded(row["quantity"], product),
        "product_uom_id": product.uom_id.id,
        "picked": row["picked"],
        "location_id": row["source"].id,
        "location_dest_id": row["destination"].id,
        "lot_id": row["lot"].id or False,
        "package_id": row["package"].id or False,
        "result_package_id": row["result"].id or False,
        "owner_id": row["owner"].id or False,
    }


def adopt(plan, row):
    # An emptied reservation of the same place becomes the scanned line: one write, not two.
    for other in plan["rows"]:
        if (
            other["line"]
            and not other["picked"]
            and not other["scanned"]
            and other["quantity"] <= 1e-9
            and other["move"] == row["move"]
            and other["source"] == row["source"]
            and other["package"] == row["package"]
            and other["owner"] == row["owner"]
        ):
            plan["rows"].remove(other)
            return other["line"]
    return None


def changed(line, values):
    # Only what differs: Odoo moves reservations for every place field that is written.
    now = {
        "quantity": line.quantity,
        "product_uom_id": line.product_uom_id.id,
        "picked": line.picked,
        "location_id": line.location_id.id,
        "location_dest_id": line.location_dest_id.id,
        "lot_id": line.lot_id.id or False,
        "package_id": line.package_id.id or False,
        "result_package_id": line.result_package_id.id or False,
        "owner_id": line.owner_id.id or False,
    }
    found = {}
    for name in values:
        if now[name] != values[name]:
            found[name] = values[name]
    return found


def carry_out(plan):
    # The plan as few writes: reservations first, so that what they free can be taken.
    Line = env["stock.move.line"]
    writes, creates, emptied = [], [], Line
    for row in list(plan["rows"]):
        if row["line"] is None:
            row["line"] = adopt(plan, row) if row["scanned"] else None
            if row["line"] is None:
                creates.append(row)
                continue
        if row["scanned"] and row["quantity"] <= 1e-9:
            emptied |= row["line"]
        elif row["scanned"]:
            writes.append((row["line"], changed(row["line"], line_values(row))))
    for row in plan["rows"]:
        if (
            row["line"] is None
            or row["picked"]
            or row["scanned"]
            or same(row["was"], row["quantity"], row["move"].product_id)
        ):
            continue
        if row["quantity"] <= 1e-9:
            emptied |= row["line"]
        else:
            unit = row["line"].product_uom_id
            product = row["move"].product_id
            row["line"].write(
                {"quantity": product.uom_id._compute_quantity(row["quantity"], unit, round=False)}
            )
    if emptied:
        emptied.unlink()
    same_values = {}
    for line, values in writes:
        if values:
            key = repr(sorted(values.items()))
            same_values.setdefault(key, [Line, values])
            same_values[key][0] |= line
    for lines, values in same_values.values():
        lines.write(values)
    if creates:
        create_lines(plan, creates)


def create_lines(plan, rows):
    values = []
    for row in rows:
        values.append(
            dict(
                line_values(row),
                move_id=row["move"].id,
                picking_id=plan["picking"].id,
                product_id=row["move"].product_id.id,
            )
        )
    made = env["stock.move.line"].create(values)
    for row, line in zip(rows, made):
        row["line"] = line


def effect_of(plan, effect):
    row = effect["row"]
    return {
        "event": effect["event"],
        "kind": "line",
        "picking": plan["picking"],
        "move_line": row["line"],
        "product": row["move"].product_id,
        "source": row["source"],
        "destination": row["destination"],
        "lot": row["lot"],
        "package": row["package"],
        "result_package": row["result"],
        "quantity": effect["quantity"],
        "time": moment(effect["event"]["occurred"]),
        "state": "open",
    }


def apply_lines(events):
    # Planned event by event, carried out document by document, written down at once.
    plans, answers = {}, []
    for event in events:
        name = event["data"]["document"]
        picking = open_document(name)
        if name not in plans:
            plans[name] = plan_of(picking)
        plan_line(plans[name], event)
        answers.append(applied(picking))
    effects = []
    for plan in plans.values():
        carry_out(plan)
        for effect in plan["effects"]:
            effects.append(effect_of(plan, effect))
    note_effects(effects)
    return answers


HANDLERS["transfer.line"] = apply_lines
