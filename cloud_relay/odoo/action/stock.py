# stock.moved. Invariants: what moves is named line by line, so that Odoo chooses nothing; it happened when
# the event did, in the order of the events' instants; goods that were not there are a refusal. Repairs at
# later counts are written together with the moves, so that nothing is in two places in between.


def leg_of(event, number, product, source, destination, quantity, lot, package, result, owner=None):
    return {
        "event": event,
        "order": order_of(event, number),
        "product": product,
        "source": source,
        "destination": destination,
        "quantity": quantity,
        "lot": lot,
        "package": package,
        "result": result,
        "owner": owner,
        "from": place_of(product, source, lot, package, owner),
        "to": place_of(product, destination, lot, result, owner),
    }


def ends_of_move(data):
    source, destination = find_own_location(data["from"]), find_own_location(data["to"])
    for place in (source, destination):
        if place.usage not in STORED_IN:
            refuse(
                "wrong_location",
                "%s holds no stock: goods enter and leave the stock by a transfer, a scrap or a "
                "count." % place.complete_name,
            )
    if source == destination:
        refuse("contradiction", "The goods were at %s before." % source.complete_name)
    return source, destination


def read_move(event, number):
    # What the event names: one leg of goods, or a pallet whose contents are still to be found.
    data = event["data"]
    source, destination = ends_of_move(data)
    none = env[PACKAGE_MODEL]
    move = {"event": event, "number": number, "source": source, "destination": destination}
    move["order"] = order_of(event, number)
    if data.get("barcode"):
        goods = find_goods(data)
        package = need_package(goods["package"]) if goods["package"] else none
        move["legs"] = [
            leg_of(
                event, number, goods["product"], source, destination,
                goods["quantity"], need_lot(goods), package, none,
            )
        ]  # fmt: skip
    else:
        name = data["package"]
        if data.get("gs1"):
            name = read_package(data, data["gs1"])
        move["pallet"] = need_package(name)
    return move


def places_of_moves(moves, since):
    places = set()
    for move in moves:
        if "pallet" in move:
            move["packages"] = packages_on(move["pallet"])
            move["things"] = things_on(move["packages"], since)
            for thing in move["things"]:
                for location in (move["source"], move["destination"]):
                    places.add(
                        (thing["product_id"], location.id)
                        + (thing["lot"], thing["package"], thing["owner"])
                    )
            continue
        for leg in move["legs"]:
            for location, place in ((leg["source"], leg["from"]), (leg["destination"], leg["to"])):
                if holds_stock(leg["product"], location):
                    places.add(place)
    return places


def plan_moves(moves):
    # The legs in the order of their instants, and what is to be repaired at later counts. All are put
    # in the book before any is judged: goods that went out and came back are enough for both.
    moves = sorted(moves, key=lambda move: move["order"])
    since = moves[0]["order"][0]
    env.flush_all()
    book = open_book(places_of_moves(moves, since), since)
    legs, repairs, takings = [], [], []
    for move in moves:
        if "pallet" in move:
            move["legs"] = legs_of_pallet(book, move)
        for leg in move["legs"]:
            legs.append(leg)
            for place, delta in ((leg["from"], -leg["quantity"]), (leg["to"], leg["quantity"])):
                if place not in book["now"]:
                    continue
                follows = change(book, place, leg["order"], delta)
                repairs += repairs_of(leg["event"], follows)
                for taking in takings_of(leg["order"], place, delta, follows):
                    takings.append((leg, taking))
    for leg, taking in takings:
        place, order = taking
        refuse_shortage(leg["event"], book, place, order, leg["quantity"])
    refuse_split(book)
    return legs, repairs


def internal_type(leg):
    warehouse = leg["source"].warehouse_id or leg["destination"].warehouse_id
    kind = warehouse.int_type_id or state["warehouses"][:1].int_type_id
    if not kind:
        refuse("odoo_refused", "Odoo has no operation type for moves within the warehouse.")
    return kind


def make_transfers(moves):
    # One transfer an event, so that each has a record and a date of its own.
    values = []
    for move in moves:
        data, leg = move["event"]["data"], move["legs"][0]
        origin = move["event"]["device"]
        if data.get("reason"):
            origin = "%s: %s" % (origin, data["reason"])
        values.append(
            {
                "picking_type_id": internal_type(leg).id,
                "location_id": leg["source"].id,
                "location_dest_id": leg["destination"].id,
                "company_id": state["company"].id,
                "origin": origin,
            }
        )
    quiet = env["stock.picking"].with_context(tracking_disable=True)
    return quiet.create(values)


def transfer_values(leg, picking):
    product = leg["product"]
    ends = {
        "product_id": product.id,
        "company_id": state["company"].id,
        "picking_id": picking.id,
        "location_id": leg["source"].id,
        "location_dest_id": leg["destination"].id,
    }
    line = dict(
        ends,
        product_uom_id=product.uom_id.id,
        quantity=leg["quantity"],
        picked=True,
        lot_id=leg["lot"].id or False,
        package_id=leg["package"].id or False,
        result_package_id=leg["result"].id or False,
        owner_id=leg["owner"].id if leg["owner"] else False,
    )
    values = dict(
        ends,
        product_uom=product.uom_id.id,
        product_uom_qty=leg["quantity"],
        picking_type_id=picking.picking_type_id.id,
        picked=True,
        date=dated_at(leg["order"][0])[0],
        move_line_ids=[Command.create(line)],
    )
    if "name" in env["stock.move"]._fields:
        values["name"] = product.display_name
    return values


def move_at_once(moves, done, repairs):
    # Odoo wants each package in one place afterwards. Its records of packages in transfers cannot
    # deal with repairs, which belong to none.
    if not repairs:
        done._action_done()
        return
    (repairs | done).sorted("id").with_context(ignore_dest_packages=True)._action_done()
    for move in moves:
        if "pallet" in move and "package_dest_id" in move["pallet"]._fields:
            move["packages"]._apply_dest_to_package()


def comes_first(row):
    # Nothing may dip below what is reserved, so what is missing is put there before it moves and what
    # is too much is taken away after; but of a serial number there are never two, even for a moment.
    if row["to"]:
        return False
    return row["delta"] > 0 or env["product.product"].browse(row["place"][0]).tracking == "serial"


def apply_moved(events):
    moves = []
    for number, event in enumerate(events):
        moves.append(read_move(event, number))
    legs, repairs = plan_moves(moves)
    first, first_moves = plan_adjustments([row for row in repairs if comes_first(row)])
    pickings = make_transfers(moves)
    values = []
    for move, picking in zip(moves, pickings):
        move["picking"] = picking
        for leg in move["legs"]:
            values.append((leg["order"], leg, picking))
    values = sorted(values, key=lambda value: value[0])
    done = pickings.env["stock.move"].create(
        [transfer_values(leg, picking) for order, leg, picking in values]
    )
    keep_on_pallet(moves)
    last, last_moves = plan_adjustments([row for row in repairs if not comes_first(row)])
    move_at_once(moves, done, first_moves | last_moves)
    pickings._action_done()
    effects, times = [], {}
    for value, stock_move in zip(values, done):
        order, leg, picking = value
        if stock_move.state != "done" or len(stock_move.move_line_ids) != 1:
            refuse("odoo_refused", "Odoo did not move %s." % place_text(leg["from"]))
        times[stock_move.move_line_ids] = dated_at(order[0])[0]
        effects.append(
            {
                "event": leg["event"],
                "kind": "move",
                "picking": picking,
                "move_line": stock_move.move_line_ids,
                "product": leg["product"],
                "source": leg["source"],
                "destination": leg["destination"],
                "lot": leg["lot"],
                "package": leg["package"],
                "result_package": leg["result"],
                "quantity": leg["quantity"],
                "time": order[0],
                "state": "done",
            }
        )
    redate(times)
    note_effects(effects)
    settle_adjustments(first + last, first_moves | last_moves)
    answers = []
    for move in moves:
        answers.append(noted(move["picking"], move, repairs))
    return answers


def noted(record, thing, repairs):
    # The answer for one event: its record, and what was done differently than asked.
    mine = []
    for row in repairs:
        if row["sources"][0]["event"]["key"] == thing["event"]["key"]:
            mine.append(row)
    return applied(*([record, dated_at(thing["order"][0])[1]] + repair_notes(mine)))


HANDLERS["stock.moved"] = apply_moved
