# scrap.recorded. Invariants: Odoo is asked only for what was there, because it answers a shortage with a
# wizard and then scraps below zero; the scrap and its move carry the time of the event.


def read_scrap(event, number):
    data = event["data"]
    goods, location = find_goods(data), find_own_location(data["location"])
    if location.usage not in STORED_IN:
        refuse("wrong_location", "%s holds no stock to scrap." % location.complete_name)
    package = need_package(goods["package"]) if goods["package"] else env[PACKAGE_MODEL]
    lot = need_lot(goods)
    return {
        "event": event,
        "order": order_of(event, number),
        "product": goods["product"],
        "location": location,
        "lot": lot,
        "package": package,
        "quantity": goods["quantity"],
        "picking": find_document(data["document"]) if data.get("document") else None,
        "place": place_of(goods["product"], location, lot, package),
    }


def plan_scraps(scraps):
    places, earliest, repairs = set(), None, []
    for scrap in scraps:
        if holds_stock(scrap["product"], scrap["location"]):
            places.add(scrap["place"])
        if earliest is None or scrap["order"][0] < earliest:
            earliest = scrap["order"][0]
    book = open_book(places, earliest)
    takings = []
    for scrap in scraps:
        event, place, order = scrap["event"], scrap["place"], scrap["order"]
        follows = change(book, place, order, -scrap["quantity"])
        repairs += repairs_of(event, follows)
        if place in places:
            for place, order in takings_of(order, place, -scrap["quantity"], follows):
                takings.append((scrap, place, order))
    for scrap, place, order in takings:
        refuse_shortage(scrap["event"], book, place, order, scrap["quantity"])
    return repairs


def scrap_values(scrap):
    data, picking = scrap["event"]["data"], scrap["picking"]
    said = [scrap["event"]["device"]]
    for text in (picking and picking.name, data.get("reason")):
        if text:
            said.append(text)
    return {
        "company_id": state["company"].id,
        "origin": ": ".join(said),
        "product_id": scrap["product"].id,
        "product_uom_id": scrap["product"].uom_id.id,
        "scrap_qty": scrap["quantity"],
        "lot_id": scrap["lot"].id or False,
        "package_id": scrap["package"].id or False,
        "location_id": scrap["location"].id,
    }


def apply_scraps(events):
    scraps = []
    for number, event in enumerate(events):
        scraps.append(read_scrap(event, number))
    repairs = plan_scraps(scraps)
    adjust([row for row in repairs if not row["to"]])
    quiet = env["stock.scrap"].with_context(tracking_disable=True)
    records = quiet.create([scrap_values(scrap) for scrap in scraps])
    records.do_scrap()
    effects, times, dates, answers = [], {}, {}, []
    for scrap, record in zip(scraps, records):
        line = record.move_ids.move_line_ids
        if record.state != "done" or len(line) != 1:
            refuse("odoo_refused", "Odoo did not scrap %s." % place_text(scrap["place"]))
        times[line] = dates[record] = dated_at(scrap["order"][0])[0]
        effects.append(
            {
                "event": scrap["event"],
                "kind": "scrap",
                "move_line": line,
                "product": scrap["product"],
                "source": scrap["location"],
                "destination": line.location_dest_id,
                "lot": scrap["lot"],
                "package": scrap["package"],
                "quantity": scrap["quantity"],
                "time": scrap["order"][0],
                "state": "done",
            }
        )
        answers.append(noted(record, scrap, repairs))
    write_dates(dates, "date_done")
    redate(times)
    note_effects(effects)
    adjust([row for row in repairs if row["to"]])
    return answers


HANDLERS["scrap.recorded"] = apply_scraps
