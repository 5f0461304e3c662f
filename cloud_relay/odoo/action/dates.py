# When Odoo may say that something happened. Invariants: nothing is dated on or before a lock date or the
# last inventory closing (it takes the first open instant and says so); the order of events is that of
# their occurrence all the same; a transfer, its moves and its lines carry one story.

LOCK_FIELDS = (
    "period_lock_date",
    "fiscalyear_lock_date",
    "tax_lock_date",
    "sale_lock_date",
    "purchase_lock_date",
    "hard_lock_date",
)


def look_up_opening():
    # (first open instant or None, what closed the time before it). Users do not see these fields.
    company = state["company"].sudo()
    companies = company.parent_ids if "parent_ids" in company._fields else company
    opening, reason_text = None, ""
    for each in companies | company:
        for name in LOCK_FIELDS:
            locked = each[name] if name in each._fields else None
            if locked:
                first = datetime.datetime.combine(locked, datetime.time.min)
                first = first + datetime.timedelta(days=1)
                if opening is None or first > opening:
                    opening, reason_text = first, "books are locked up to %s" % locked
    if "inventory_period" in company._fields:
        closed = company._get_last_closing_date()
        if closed:
            first = closed.replace(microsecond=0) + datetime.timedelta(seconds=1)
            if opening is None or first > opening:
                opening, reason_text = (
                    first,
                    "the inventory was closed at %s UTC" % str(closed)[:19],
                )
    return opening, reason_text


def dated_at(time):
    # (the instant Odoo gets, to the second; a note when that is not when it happened)
    opening, reason_text = cached("opening", look_up_opening)
    time = time.replace(microsecond=0)
    if opening is None or time >= opening:
        return time, ""
    return opening, "happened at %s UTC, dated %s UTC: %s" % (time, opening, reason_text)


def dated(text):
    return dated_at(moment(text))


def redate(times):
    # times: {move line: instant}. Odoo dates a transfer's moves with the transfer and lines with
    # their move, so the larger comes first and the smaller only where it differs.
    of_move, of_picking = {}, {}
    for line in times:
        move, time = line.move_id, times[line]
        if move not in of_move or of_move[move] < time:
            of_move[move] = time
    for move in of_move:
        picking = move.picking_id
        if picking and (picking not in of_picking or of_picking[picking] < of_move[move]):
            of_picking[picking] = of_move[move]
    write_dates(of_picking, "date_done")
    write_dates(of_move, "date")
    write_dates(times, "date")


def write_dates(times, name):
    same_time = {}
    for record in times:
        if record[name] != times[record]:
            same_time[times[record]] = same_time.get(times[record], record.browse()) | record
    for time in same_time:
        same_time[time].write({name: time})


def check_enough(needs):
    # What a transfer takes, against what was there when it was taken. All of it together: two lines
    # may take from one place.
    places, earliest = set(), None
    for need in needs:
        if earliest is None or need["time"] < earliest:
            earliest = need["time"]
        if holds_stock(need["product"], need["location"]):
            places.add(place_of_need(need))
    book = open_book(places, earliest)
    takings = []
    for number, need in enumerate(needs):
        place = place_of_need(need)
        if place in places:
            order = (need["time"], need["event"]["device"], UNHEARD + number)
            follows = change(book, place, order, -need["quantity"])
            for taking in takings_of(order, place, -need["quantity"], follows):
                takings.append((need, taking))
    for need, taking in takings:
        place, order = taking
        refuse_shortage(need["event"], book, place, order, need["quantity"])


def place_of_need(need):
    return place_of(
        need["product"], need["location"], need["lot"], need["package"], need.get("owner")
    )


def settle_effects(lines, event_of):
    # What was scanned has moved now; what moved without a scan did so with its closing event.
    env.cr.execute(
        "UPDATE x_edge_effect e SET x_state = 'done', x_move_id = l.move_id "
        "FROM stock_move_line l WHERE l.id = e.x_move_line_id AND e.x_move_line_id IN %s "
        "AND e.x_state = 'open'",
        [tuple(lines.ids)],
    )
    parts, unscanned = parts_of(lines.ids), []
    for line in lines:
        rest = line.quantity_product_uom
        for part in parts.get(line.id, []):
            rest -= part["quantity"]
        if rest > 1e-9:
            unscanned.append(
                {
                    "event": event_of[line],
                    "kind": "line",
                    "picking": line.picking_id,
                    "move_line": line,
                    "product": line.product_id,
                    "source": line.location_id,
                    "destination": line.location_dest_id,
                    "lot": line.lot_id,
                    "package": line.package_id,
                    "result_package": line.result_package_id,
                    "quantity": rest,
                    "time": moment(event_of[line]["occurred"]),
                    "state": "done",
                }
            )
    note_effects(unscanned)
    return parts_of(lines.ids) if unscanned else parts


def settle_moves(closed):
    # closed: [(event, its done lines)]. They take the times of their scans, and what was counted
    # since stays so. Answers the notes of each, by key.
    event_of, notes = {}, {}
    for event, lines in closed:
        notes[event["key"]] = []
        for line in lines:
            event_of[line] = event
    if not event_of:
        return notes
    env.flush_all()
    lines = env["stock.move.line"].browse([line.id for line in event_of])
    parts, times, earliest = settle_effects(lines, event_of), {}, None
    for line in lines:
        said = notes[event_of[line]["key"]]
        for part in parts.get(line.id, []):
            time, note = dated_at(part["x_time"])
            if note and note not in said:
                said.append(note)
            if line not in times or times[line] < time:
                times[line] = time
            if earliest is None or part["x_time"] < earliest:
                earliest = part["x_time"]
    redate(times)
    repairs, rows = repairs_of_lines(lines, parts, event_of, earliest), []
    for key in repairs:
        notes[key] += repair_notes(repairs[key])
        rows += repairs[key]
    adjust(rows)
    return notes


def repairs_of_lines(lines, parts, event_of, earliest):
    # By the key of the event that closed them.
    places = set()
    for line in lines:
        for place in ends_of(line):
            places.add(place)
    if not places:
        return {}
    book, repairs = open_book(places, earliest), {}
    for line in lines:
        event = event_of[line]
        for part in parts.get(line.id, []):
            order = (part["x_time"], part["device"], part["id"])
            for place, sign in ends_of(line).items():
                follows = change(book, place, order, sign * part["quantity"])
                repairs.setdefault(event["key"], []).extend(repairs_of(event, follows))
    return repairs


def ends_of(line):
    # {place: -1 where the goods left, +1 where they went}; only places that hold stock.
    ends = {}
    if holds_stock(line.product_id, line.location_id):
        ends[
            place_of(line.product_id, line.location_id, line.lot_id, line.package_id, line.owner_id)
        ] = -1
    if holds_stock(line.product_id, line.location_dest_id):
        ends[
            place_of(
                line.product_id,
                line.location_dest_id,
                line.lot_id,
                line.result_package_id,
                line.owner_id,
            )
        ] = 1
    return ends
