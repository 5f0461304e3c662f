# package.packed and label.printed. Invariants: a package gets only what was recorded on its document
# and is in no package yet; a line that is packed in part is split, and its effects with it, so that the
# sum of a line's effects stays its quantity. Notes go to the chatter and to nobody's mailbox.


def write_note(picking, text):
    picking.message_post(body=text, message_type="notification", subtype_xmlid="mail.mt_note")


def loose_lines(picking, product, lot):
    # Recorded and not packed; the lines of events first, in their order.
    found = []
    for line in picking.move_line_ids.sorted("id"):
        if line.picked and line.quantity > 0 and not line.result_package_id:
            if (not product or line.product_id == product) and (not lot or line.lot_id == lot):
                found.append(line)
    return found


def split_effects(line, part, quantity):
    # Gives `quantity` of the line's effects to the line `part`, in the order of their times.
    left = quantity
    for row in rows_of(
        "SELECT id, x_qty FROM x_edge_effect WHERE x_move_line_id = %s AND x_state = 'open' "
        "AND x_kind = 'line' ORDER BY x_time, id",
        [line.id],
    ):
        if left <= 1e-9:
            break
        take = min(left, row["x_qty"])
        left -= take
        if row["x_qty"] - take <= 1e-9:
            env.cr.execute(
                "UPDATE x_edge_effect SET x_move_line_id = %s WHERE id = %s", [part.id, row["id"]]
            )
            continue
        columns = ", ".join(EFFECT_COLUMNS)
        copied = columns.replace("x_move_line_id", "%s").replace("x_qty", "%s")
        env.cr.execute(
            "INSERT INTO x_edge_effect (%s) SELECT " % columns
            + copied
            + " FROM x_edge_effect WHERE id = %s",
            [part.id, take, row["id"]],
        )
        env.cr.execute(
            "UPDATE x_edge_effect SET x_qty = x_qty - %s WHERE id = %s", [take, row["id"]]
        )


def split_line(line, quantity):
    # A new line with `quantity` (product's unit) of this one.
    product = line.product_id
    rest = product.uom_id._compute_quantity(
        line.quantity_product_uom - quantity, line.product_uom_id, round=False
    )
    line.write({"quantity": rest})
    part = env["stock.move.line"].create(
        {
            "move_id": line.move_id.id,
            "picking_id": line.picking_id.id,
            "product_id": product.id,
            "product_uom_id": product.uom_id.id,
            "quantity": rounded(quantity, product),
            "picked": True,
            "location_id": line.location_id.id,
            "location_dest_id": line.location_dest_id.id,
            "lot_id": line.lot_id.id or False,
            "package_id": line.package_id.id or False,
        }
    )
    split_effects(line, part, quantity)
    return part


def lines_of_contents(picking, contents):
    chosen = env["stock.move.line"]
    for content in contents:
        goods = find_goods(content)
        product = goods["product"]
        lot = need_lot(goods) if goods["lot"] else env["stock.lot"]
        left = goods["quantity"]
        for line in loose_lines(picking, product, lot):
            if line in chosen or left <= 1e-9:
                continue
            if less(left, line.quantity_product_uom, product):
                line = split_line(line, left)
            left -= line.quantity_product_uom
            chosen |= line
        if left > 1e-9 and not same(left, 0.0, product):
            refuse(
                "over_quantity",
                "%s of %s are to be packed, %s fewer are recorded unpacked on %s."
                % (
                    amount(goods["quantity"], product),
                    product.display_name,
                    figure_text(left),
                    picking.name,
                ),
            )
    return chosen


def kilograms(weight, code):
    target = env.ref("uom.product_uom_kgm")
    unit = find_unit(code)
    if not convertible(unit, target):
        refuse("unknown_unit", "%s is not a unit of weight." % unit.name)
    return unit._compute_quantity(float(weight), target, round=False)


def weigh(package, data):
    # The device's own weight, else what the agent had from the scale of the station; answers a note.
    # A packing that the device reported right is not refused for what the agent added.
    weighed = data.get("weighed") or {}
    if data.get("weight"):
        package.write({"shipping_weight": kilograms(data["weight"], data["weight_uom"])})
    elif weighed.get("weight"):
        told = "%s %s" % (weighed["weight"], weighed["uom"])
        unit = cached("unit", look_up_unit, weighed["uom"])
        if not unit or not convertible(unit, env.ref("uom.product_uom_kgm")):
            return "its weight of %s is not kept: Odoo has no such unit of weight" % told
        package.write({"shipping_weight": kilograms(weighed["weight"], weighed["uom"])})
        return "weighed %s on %s" % (told, weighed["device"])
    elif weighed.get("reason"):
        return "no weight: %s" % weighed["reason"]
    return ""


def free_package(name, picking):
    # The package of that name, if it holds nothing, or a new one.
    package = find_package(name)
    if not package:
        return make_package(name)
    for line in package.quant_ids:
        if line.quantity > 0:
            refuse(
                "contradiction",
                "The package %s already holds %s at %s."
                % (name, line.product_id.display_name, line.location_id.complete_name),
            )
    elsewhere = env["stock.move.line"].search(
        [
            ("result_package_id", "=", package.id),
            ("picking_id", "!=", picking.id),
            ("state", "not in", ("done", "cancel")),
        ],
        limit=1,
    )
    if elsewhere:
        refuse(
            "contradiction", "The package %s is packed on %s." % (name, elsewhere.picking_id.name)
        )
    return package


def pack(event):
    data = event["data"]
    picking = open_document(data["document"])
    scanned_on(picking)
    if data.get("lines"):
        lines = lines_of_contents(picking, data["lines"])
    else:
        lines = env["stock.move.line"]
        for line in loose_lines(picking, None, None):
            lines |= line
    if not lines:
        refuse("nothing_recorded", "Nothing unpacked is recorded on %s." % picking.name)
    package = free_package(data["package"], picking)
    lines.write({"result_package_id": package.id})
    env.cr.execute(
        "UPDATE x_edge_effect SET x_result_package_id = %s "
        "WHERE x_move_line_id IN %s AND x_state = 'open'",
        [package.id, tuple(lines.ids)],
    )
    return applied(picking, "package %s" % package.name, weigh(package, data))


def apply_packed(events):
    answers = []
    for event in events:
        answers.append(pack(event))
    return answers


def document_of_label(data):
    if data.get("document"):
        return find_document(data["document"])
    if not data.get("package"):
        return env["stock.picking"]
    package = need_package(data["package"])
    line = env["stock.move.line"].search(
        [
            ("result_package_id", "=", package.id),
            ("company_id", "=", state["company"].id),
            ("picking_id.picking_type_id.warehouse_id", "in", state["warehouses"].ids),
        ],
        order="id desc",
        limit=1,
    )
    return line.picking_id


PROOFS = (
    "sent, nothing heard",
    "received by the printer",
    "printed, says the printer's counter",
    "printed and taken",
    "scanned after printing",
)


def note_label(event):
    data = event["data"]
    picking = document_of_label(data)
    text = "Label printed%s: %s copies on %s at %s UTC (%s)." % (
        " for package %s" % data["package"] if data.get("package") else "",
        data["copies"],
        data["printer"],
        event["occurred"][:19],
        PROOFS[data["proof"]],
    )
    if not picking:
        return applied(None, "names no transfer: kept on the event alone")
    write_note(picking, text)
    return applied(picking)


def apply_printed(events):
    answers = []
    for event in events:
        answers.append(note_label(event))
    return answers


HANDLERS["package.packed"] = apply_packed
HANDLERS["label.printed"] = apply_printed
