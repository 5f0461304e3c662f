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
                "owner": line.owner_id,
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


def validate(pickings, cancelled):
    context = {
        "skip_sms": True,
        "skip_backorder": True,
        "picking_ids_not_to_backorder": cancelled.ids,
    }
    answer = pickings.with_context(**context).button_validate()
    for picking in pickings:
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


def ready_to_close(event):
    data = event["data"]
    if data.get("expect"):
        refuse("not_supported_yet", "This version does not wait for what `expect` names.")
    picking = open_document(data["document"])
    scanned_on(picking)
    lines = lines_to_move(picking, data)
    check_lots(picking, lines)
    return {"event": event, "picking": picking, "lines": lines}


def apply_done(events):
    # Checked one by one, validated at once: Odoo closes twenty transfers faster together.
    closing, needs = [], []
    pickings, cancelled = env["stock.picking"], env["stock.picking"]
    for event in events:
        each = ready_to_close(event)
        closing.append(each)
        needs += needs_of(each["lines"], event)
        pickings |= each["picking"]
        if event["data"]["backorder"] == "cancel":
            cancelled |= each["picking"]
    check_enough(needs)
    notes = {}
    for each in closing:
        reference = each["event"]["data"].get("carrier_tracking")
        notes[each["event"]["key"]] = [set_tracking(each["picking"], reference)]
    validate(pickings, cancelled)
    settled = settle_moves([(each["event"], each["lines"].exists()) for each in closing])
    answers = []
    for each in closing:
        event, picking = each["event"], each["picking"]
        said = notes[event["key"]] + settled[event["key"]]
        said += followers(picking, event["data"]["backorder"])
        answers.append(applied(*([picking] + said)))
    return answers


HANDLERS["transfer.done"] = apply_done
