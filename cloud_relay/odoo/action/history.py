# The book of ledger.py, read from Odoo: quants, done lines, and what events did to them. Read by SQL,
# because Odoo's own figures of the past ignore lots and include what lies in places within.


def open_book(places, since):
    # The figures of these places now, what changed them from `since` on, and their anchors.
    book = {"now": {}, "steps": {}, "anchors": {}, "carried": {}}
    if not places:
        return book
    env.flush_all()
    rides = rides_of(set([place[3] for place in places if place[3]]), since)
    for place in places | ridden(places, rides):
        book["now"][place] = 0.0
        book["steps"][place] = []
        book["anchors"][place] = []
        book["carried"][place] = []
    for ride in rides:
        for place in list(book["now"]):
            if place[3] == ride["package"] and place[1] == ride["source"]:
                to = (place[0], ride["destination"]) + place[2:]
                book["carried"][place].append((ride["order"], to))
    near = {
        "products": tuple(set([place[0] for place in book["now"]])),
        "locations": tuple(set([place[1] for place in book["now"]])),
        "since": since.replace(microsecond=0),
        "rides": rides,
    }
    read_quants(book, near)
    read_anchors(book, near)
    read_lines(book, near)
    return book


def rides_of(packages, since):
    # Where these packages went whole since then: package, source, destination, order.
    if not packages:
        return []
    found = {}
    for row in rows_of(
        "SELECT coalesce(e.x_time, l.date) AS time, coalesce(e.x_device, '') AS device, "
        "coalesce(e.id, l.id) AS serial, l.package_id AS package, l.location_id AS source, "
        "l.location_dest_id AS destination FROM stock_move_line l "
        "JOIN stock_location f ON f.id = l.location_id AND f.usage IN %(stored)s "
        "JOIN stock_location t ON t.id = l.location_dest_id AND t.usage IN %(stored)s "
        "LEFT JOIN x_edge_effect e ON e.x_move_line_id = l.id AND e.x_state = 'done' "
        "WHERE l.state = 'done' AND l.package_id = l.result_package_id "
        "AND l.package_id IN %(packages)s AND l.date >= %(since)s "
        "AND coalesce(e.x_kind, '') <> 'repair' ORDER BY serial",
        {
            "packages": tuple(packages),
            "since": since.replace(microsecond=0),
            "stored": STORED_IN,
        },
    ):
        key = (row["package"], row["time"], row["device"], row["source"], row["destination"])
        found[key] = dict(row, order=(row["time"], row["device"], row["serial"]))
    return list(found.values())


def ridden(places, rides):
    # The places to which what is at these places may have been carried.
    more = set()
    for place in places:
        for ride in rides:
            if place[3] and place[3] == ride["package"]:
                for location in (ride["source"], ride["destination"]):
                    more.add((place[0], location) + place[2:])
    return more


def read_quants(book, near):
    split = []
    for row in rows_of(
        "SELECT product_id, location_id, coalesce(lot_id, 0) AS lot, "
        "coalesce(package_id, 0) AS package, coalesce(owner_id, 0) AS owner, "
        "sum(coalesce(quantity, 0))::float8 AS quantity, array_agg(id) AS ids FROM stock_quant "
        "WHERE product_id IN %(products)s AND location_id IN %(locations)s GROUP BY 1, 2, 3, 4, 5",
        near,
    ):
        place = (
            row["product_id"], row["location_id"], row["lot"], row["package"], row["owner"]
        )  # fmt: skip
        if place in book["now"]:
            book["now"][place] = row["quantity"]
            if len(row["ids"]) > 1:
                split += row["ids"]
    if split:
        # Concurrency leaves 600 and -9 for one place, and Odoo would correct only one of them.
        env["stock.quant"].browse(split)._merge_quants()


def read_anchors(book, near):
    for row in rows_of(
        "SELECT id, x_time, coalesce(x_device, '') AS device, x_product_id AS product, "
        "x_from_id AS location, coalesce(x_lot_id, 0) AS lot, "
        "coalesce(x_package_id, 0) AS package FROM x_edge_effect WHERE x_kind = 'count' "
        "AND x_product_id IN %(products)s AND x_from_id IN %(locations)s AND x_time >= %(since)s",
        near,
    ):
        place = (row["product"], row["location"], row["lot"], row["package"], 0)
        if place in book["anchors"]:
            book["anchors"][place].append((row["x_time"], row["device"], row["id"]))


def read_lines(book, near):
    lines = rows_of(
        "SELECT l.id, l.product_id, l.location_id, l.location_dest_id, l.date, "
        "coalesce(l.lot_id, 0) AS lot, coalesce(l.package_id, 0) AS package, "
        "coalesce(l.result_package_id, 0) AS result, coalesce(l.owner_id, 0) AS owner, "
        "l.quantity_product_uom::float8 AS quantity, m.is_inventory, "
        "'inventory' IN (f.usage, t.usage) AS adjusts FROM stock_move_line l "
        "JOIN stock_move m ON m.id = l.move_id "
        "JOIN stock_location f ON f.id = l.location_id "
        "JOIN stock_location t ON t.id = l.location_dest_id "
        "WHERE l.state = 'done' AND l.product_id IN %(products)s "
        "AND (l.location_id IN %(locations)s OR l.location_dest_id IN %(locations)s) "
        "AND (l.date >= %(since)s OR l.id IN (SELECT x_move_line_id FROM x_edge_effect "
        "WHERE x_state = 'done' AND x_product_id IN %(products)s AND x_time >= %(since)s))",
        near,
    )
    parts = parts_of([line["id"] for line in lines])
    for line in lines:
        line["source"] = (
            line["product_id"], line["location_id"], line["lot"], line["package"], line["owner"]
        )  # fmt: skip
        line["destination"] = (
            line["product_id"], line["location_dest_id"], line["lot"], line["result"], line["owner"]
        )  # fmt: skip
        if line["is_inventory"] and line["adjusts"] and line["id"] not in parts:
            # A user counted in Odoo. That is an anchor as good as a handheld's.
            for place in (line["source"], line["destination"]):
                if place in book["anchors"]:
                    book["anchors"][place].append((line["date"], "", line["id"]))
    for line in lines:
        rest = line["quantity"]
        for part in parts.get(line["id"], []):
            rest -= part["quantity"]
            for place, sign in ((line["source"], -1), (line["destination"], 1)):
                order = placed(book, near, place, part)
                step(book, place, order, sign * part["quantity"])
        if abs(rest) > 1e-9:
            order = (line["date"], "", line["id"])
            step(book, line["source"], order, -rest)
            step(book, line["destination"], order, rest)


def parts_of(line_ids):
    # What events did to these lines, by line.
    parts = {}
    if line_ids:
        for row in rows_of(
            "SELECT id, x_move_line_id AS line, x_kind, x_time, coalesce(x_device, '') AS device, "
            "x_qty AS quantity FROM x_edge_effect "
            "WHERE x_state = 'done' AND x_move_line_id IN %s ORDER BY id",
            [tuple(line_ids)],
        ):
            parts.setdefault(row["line"], []).append(row)
    return parts


def placed(book, near, place, part):
    # The order of what an event did. A repair belongs to its count or its pallet's ride: it stands
    # where that stands.
    order = (part["x_time"], part["device"], part["id"])
    if part["x_kind"] == "repair":
        causes = book["anchors"].get(place, []) + [ride["order"] for ride in near["rides"]]
        for cause in sorted(causes):
            if cause[:2] == order[:2]:
                return cause
    return order
