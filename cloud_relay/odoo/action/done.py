# transfer.done. Invariants: only what was recorded moves (by events, or by users with `picked`), or all
# that is reserved when the device says so; it moves at the time of its scans; a state that is not
# `done` afterwards, whatever Odoo answered, is a refusal and leaves nothing.


def lines_to_move(picking, data):
    recorded, reserved = env["stock.move.line"], env["stock.move.line"]
    for line in picking.move_line_ids:
        if line.state in ("done", "cancel") or line.quantity <= 0:
            continue
        if line.picked:
            recorded |= line
        else:
            reserved |= line
    if data.get("lines") == "as_reserved" and reserved:
        reserved.write({"picked": True})
        recorded |= reserved
    if not recorded:
        refuse(
            "nothing_recorded",
            "%s was closed with nothing recorded on it%s."
            % (picking.name, " and nothing reserved" if data.get("lines") else ""),
        )
    return recorded


def check_lots(picking, lines):
    kind = picking.picking_type_id
    if not kind.use_create_lots and not kind.use_existing_lots:
        return
    for line in lines:
        if line.product_id.tracking != "none" and not line.lot_id and not line.lot_name:
            refuse(
                "missing_lot",
                "%s on %s is tracked and no lot or serial number was recorded."
                % (line.product_id.display_name, picking.name),
            )


def needs_of(lines, event):
    # What each exact place must have, by the time of its scans.
    times = {}
    for row in rows_of(
        "SELECT x_move_line_id AS line, max(x_time) AS time FROM x_edge_effect "
        "WHERE x_move_line_id IN %s AND x_state = 'open' GROUP BY 1",
        [tuple(lines.ids)],
    ):
        times[row["line"]] = row["time"]
    needs = []
    for line in lines:
        needs.append(
            {
                "product": line.product_id,
                "location": line.location_id,
                "lot": line.lot_id,
                "package": line.package_id,
                "quantity": line.quantity_product_uom,
                "time": times.get(line.id) or moment(event["occurred"]),
                "event": event,
            }
        )
    return needs


def set_tracking(picking, reference):
    # The field belongs to Odoo's delivery module; without it the chatter keeps the number.
    if not reference:
        return ""
    if "carrier_tracking_ref" in picking._fields:
        picking.write({"carrier_tracking_ref": reference})
        return ""
    write_note(picking, "Carrier tracking: %s" % reference)
    return "carrier tracking %s noted in the chatter" % reference


def validate(picking, backorder):
    context = {"skip_sms": True, "skip_backorder": True}
    if backorder == "cancel":
        context["picking_ids_not_to_backorder"] = [picking.id]
    answer = picking.with_context(**context).button_validate()
    if picking.state != "done":
        asked = answer.get("res_model") if isinstance(answer, dict) else ""
        refuse(
            "odoo_refused",
            "Odoo did not close %s%s: close it by hand."
            % (picking.name, " but asks a question (%s)" % asked if asked else ""),
        )


def followers(picking, backorder):
    # What Odoo made of it: the name of a backorder, and of the next transfer of a chain, which the
    # floor could not know before.
    notes = []
    rest = picking.backorder_ids.filtered(lambda p: p.state not in ("done", "cancel"))
    for other in rest:
        notes.append("backorder %s" % other.name)
    if rest and backorder == "cancel":
        notes.append("this operation type always makes backorders")
    if not rest and backorder == "create" and picking.picking_type_id.create_backorder == "never":
        notes.append("this operation type makes no backorders")
    for other in picking.move_ids.move_dest_ids.picking_id:
        if other.state not in ("done", "cancel"):
            notes.append("next transfer %s" % other.name)
    return notes


def close_document(event):
    data = event["data"]
    if data.get("expect"):
        refuse("not_supported_yet", "This version does not wait for what `expect` names.")
    picking = open_document(data["document"])
    check_unedited(picking, open_sums(picking))
    lines = lines_to_move(picking, data)
    check_lots(picking, lines)
    check_enough(needs_of(lines, event))
    notes = [set_tracking(picking, data.get("carrier_tracking"))]
    validate(picking, data["backorder"])
    notes += settle_moves(lines.exists(), event)
    notes += followers(picking, data["backorder"])
    return applied(*([picking] + notes))


def apply_done(events):
    answers = []
    for event in events:
        answers.append(close_document(event))
    return answers


HANDLERS["transfer.done"] = apply_done
