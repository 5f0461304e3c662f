# What was where, and when. Invariants: a place is exact (product, location, lot, package, owner); what
# Odoo holds now, less everything that happened later, is what was there then. What an event did
# happened at the event's own instant, to the microsecond; what Odoo's users did, at the date of its
# line. A count is an anchor: what happened before it and becomes known after it is repaired at the
# first anchor that follows, so that the figure as of the count stays what was counted. A pallet that
# moved whole took with it what stood on it: what changed on it before, and becomes known after, is
# carried along to where it went.
#
# An order is (instant, device, serial): of one device the serial follows its order, and two devices
# that meet in one microsecond are told apart by name, whichever arrived first.

STORED_IN = ("internal", "transit")
UNHEARD = 10**15


def place_of(product, location, lot=None, package=None, owner=None):
    found = [product.id, location.id]
    for record in (lot, package, owner):
        found.append(record.id if record else 0)
    return tuple(found)


def holds_stock(product, location):
    kept = product.is_storable if "is_storable" in product._fields else product.type == "product"
    return kept and location.usage in STORED_IN


def order_of(event, number):
    # Of an event that is being applied: after everything known of its device at that instant.
    return (moment(event["occurred"]), event["device"], UNHEARD + number)


def step(book, place, order, delta):
    # Something that is in Odoo's figure of today already.
    if place in book["steps"]:
        book["steps"][place].append((order, delta))


def figure(book, place, order):
    # What was there right after everything up to `order`.
    quantity = book["now"][place]
    for at, delta in book["steps"][place]:
        if at > order:
            quantity -= delta
    return quantity


def next_barrier(book, place, order):
    # What stops a change from reaching today: (order, None) of a count, (order, place) of a ride.
    found = None
    for anchor in book["anchors"].get(place, []):
        if anchor > order and (found is None or anchor < found[0]):
            found = (anchor, None)
    for at, to in book["carried"].get(place, []):
        # The pallet's own lines are one instant.
        if at[:2] > order[:2] and (found is None or at < found[0]):
            found = (at, to)
    return found


def change(book, place, order, delta):
    # Something new at `order`. Answers what else follows from it: rows (order, place, where to or
    # None, delta) that undo it at a count, or carry it along with its pallet.
    follows = []
    while place in book["now"]:
        book["steps"][place].append((order, delta))
        barrier = next_barrier(book, place, order)
        if barrier is None:
            book["now"][place] += delta
            break
        order, to = barrier
        book["steps"][place].append((order, -delta))
        follows.append((order, place, to, delta))
        if to is None:
            break
        place = to
    return follows


def lowest(book, place, order):
    # (quantity, when): the least there was from `order` until the next count or ride, or today.
    barrier = next_barrier(book, place, order)
    end = barrier and barrier[0]
    quantity = book["now"][place]
    least, when = None, order
    steps = sorted(book["steps"][place])
    while steps and steps[-1][0] > order:
        at, delta = steps.pop()
        together = delta
        while steps and steps[-1][0] == at:
            together += steps.pop()[1]
        if (end is None or at < end) and (least is None or quantity < least):
            least, when = quantity, at
        quantity -= together
    if least is None or quantity <= least:
        return quantity, order
    return least, when


def refuse_split(book):
    # A package stands in one place. When it would stand in two, what brought it here is on its way.
    packages = set([place[3] for place in book["now"] if place[3]])
    if not packages or state.get("unjudged") is not None:
        return
    found = dict(book["now"])
    for row in rows_of(
        "SELECT product_id, location_id, coalesce(lot_id, 0) AS lot, package_id, "
        "coalesce(owner_id, 0) AS owner, sum(quantity)::float8 AS quantity FROM stock_quant "
        "WHERE package_id IN %s GROUP BY 1, 2, 3, 4, 5",
        [tuple(packages)],
    ):
        place = (
            row["product_id"], row["location_id"], row["lot"], row["package_id"], row["owner"]
        )  # fmt: skip
        found.setdefault(place, row["quantity"])
    at = {}
    for place in found:
        if place[3] and found[place] > 1e-9:
            at.setdefault(place[3], set()).add(place[1])
    for package in at:
        if len(at[package]) > 1:
            names = env["stock.location"].browse(sorted(at[package])).mapped("complete_name")
            refuse(
                "insufficient_stock",
                "Package %s would stand at %s at once: what moved it is not known yet."
                % (env[PACKAGE_MODEL].browse(package).name, " and ".join(names)),
            )


def place_text(place):
    product = env["product.product"].browse(place[0])
    text = product.display_name
    if place[2]:
        text += " (%s)" % env["stock.lot"].browse(place[2]).name
    if place[3]:
        text += " in package %s" % env[PACKAGE_MODEL].browse(place[3]).name
    return "%s at %s" % (text, env["stock.location"].browse(place[1]).complete_name)


def refuse_shortage(event, book, place, order, taken):
    # Nothing drives stock below zero, neither then nor between then and the next count.
    if state["binding"].get("allow_negative"):
        return
    if state.get("unjudged") is not None:
        # Judged together with others at the end; see shortage.py.
        state["unjudged"].append({"event": event, "place": place, "order": order})
        return
    product = env["product.product"].browse(place[0])
    left, when = lowest(book, place, order)
    if not less(left, 0.0, product):
        return
    if when == order:
        sentence = "Odoo has %s of %s as of %s UTC, and %s went out." % (
            amount(left + taken, product),
            place_text(place),
            str(order[0])[:19],
            figure_text(taken),
        )
    else:
        sentence = (
            "Of %s, %s went out as of %s UTC: %s are missing for what went out at %s UTC."
            % (
                place_text(place),
                figure_text(taken),
                str(order[0])[:19],
                figure_text(-left),
                str(when[0])[:19],
            )
        )
    refuse("insufficient_stock", sentence + packed_hint(place))


def packed_hint(place):
    # What lies there in packages: whoever took it out of one has to name it.
    product_id, location_id, lot_id, package_id, owner_id = place
    if package_id:
        return ""
    packed = env["stock.quant"].search(
        [
            ("product_id", "=", product_id),
            ("location_id", "=", location_id),
            ("lot_id", "=", lot_id or False),
            ("owner_id", "=", owner_id or False),
            ("package_id", "!=", False),
            ("quantity", ">", 0),
        ],
        limit=3,
        order="id",
    )
    if not packed:
        return ""
    held = []
    for quant in packed:
        quantity = amount(quant.quantity, quant.product_id)
        held.append("%s in package %s" % (quantity, quant.package_id.name))
    return " Packed there: %s; goods taken out of a package need its name." % ", ".join(held)
