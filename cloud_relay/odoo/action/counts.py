# count.recorded, as of the time of the count. Invariants: a count says what was there at its instant and
# nothing about today: Odoo is adjusted by the difference to the figure of that instant, dated then. It
# stays as an anchor even when nothing differs: what turns out later to have happened before it is
# repaired at it. Several counts become one set of moves.


def place_counted(event):
    data = event["data"]
    goods = find_goods(data)
    location = find_own_location(data["location"])
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
