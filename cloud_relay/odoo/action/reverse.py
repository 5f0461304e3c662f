# event.reversed. Invariants: an event is taken back once, by the device that made it, and only while its
# document is open; its effects are kept, marked `reversed`.


def reversed_key(event):
    return "%s|%s" % (event["device"], event["data"]["event"])


def claim_to_reverse(event):
    found = rows_of(
        "SELECT x_kind, x_document, x_reversed_by FROM x_edge_event WHERE x_key = %s",
        [reversed_key(event)],
    )
    if not found:
        refuse(
            "unknown_event",
            "Device %s takes back event %s, which has not arrived."
            % (event["device"], event["data"]["event"]),
        )
    if found[0]["x_reversed_by"]:
        refuse("already_reversed", "Event %s was taken back before." % event["data"]["event"])
    return found[0]


def still_open(name):
    picking = find_document(name)
    if picking.state in ("done", "cancel"):
        refuse(
            "too_late",
            "%s is %s: its scans cannot be taken back."
            % (name, "done" if picking.state == "done" else "cancelled"),
        )
    return picking


def take_back_lines(event, picking):
    plan = plan_of(picking)
    back = {}
    for row in rows_of(
        "SELECT x_move_line_id AS line, sum(x_qty) AS quantity FROM x_edge_effect "
        "WHERE x_key = %s AND x_kind = 'line' AND x_state = 'open' GROUP BY 1",
        [reversed_key(event)],
    ):
        back[row["line"]] = row["quantity"]
    env.cr.execute(
        "UPDATE x_edge_effect SET x_state = 'reversed' WHERE x_key = %s AND x_state = 'open'",
        [reversed_key(event)],
    )
    for row in list(plan["rows"]):
        if row["scanned"] and row["line"].id in back:
            unpick(plan, row, back[row["line"].id])
    carry_out(plan)


def take_back_package(event, picking):
    # The goods stay recorded; they lie loose again. `x_record` of a package's claim is its document,
    # so the package is found by name, as it was.
    found = rows_of("SELECT x_notes FROM x_edge_event WHERE x_key = %s", [reversed_key(event)])
    said = (found[0]["x_notes"] or "").split("\n")[0]
    package = need_package(said.replace("package ", "", 1))
    if rows_of(
        "SELECT 1 FROM x_edge_event WHERE x_kind = 'package.packed' AND x_picking_id = %s "
        "AND x_key <> %s AND x_reversed_by IS NULL AND split_part(x_notes, chr(10), 1) = %s",
        [picking.id, reversed_key(event), said],
    ):
        refuse(
            "contradiction",
            "Package %s was filled in several steps: which goods came with this one is not known. "
            "Unpack it in Odoo." % package.name,
        )
    lines = env["stock.move.line"]
    for line in picking.move_line_ids:
        if line.result_package_id == package:
            lines |= line
    lines.write({"result_package_id": False})
    if lines:
        env.cr.execute(
            "UPDATE x_edge_effect SET x_result_package_id = NULL "
            "WHERE x_move_line_id IN %s AND x_state = 'open'",
            [tuple(lines.ids)],
        )


def take_back(event):
    claimed = claim_to_reverse(event)
    kind = claimed["x_kind"]
    if kind not in ("transfer.line", "package.packed"):
        refuse(
            "too_late",
            "A %s cannot be taken back: correct the stock with a count or a move." % kind,
        )
    picking = still_open(claimed["x_document"])
    if kind == "transfer.line":
        take_back_lines(event, picking)
    else:
        take_back_package(event, picking)
    env.cr.execute(
        "UPDATE x_edge_event SET x_reversed_by = %s WHERE x_key = %s",
        [event["key"], reversed_key(event)],
    )
    return applied(picking)


def apply_reversed(events):
    answers = []
    for event in events:
        answers.append(take_back(event))
    return answers


HANDLERS["event.reversed"] = apply_reversed
