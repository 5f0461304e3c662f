# A pallet that moves whole. Invariants: what moves is what stood on it at that instant, parcels and all;
# what stood on it stays on it.


def packages_on(pallet):
    # The pallet and what stands on it: packages in packages are new in Odoo 19.
    if "parent_package_id" not in pallet._fields:
        return pallet
    return pallet.search([("id", "child_of", pallet.id)])


def things_on(packages, since):
    # All that is in these packages now or has been since: (product, lot, package, owner).
    return rows_of(
        "SELECT product_id, coalesce(lot_id, 0) AS lot, package_id AS package, "
        "coalesce(owner_id, 0) AS owner FROM stock_quant WHERE package_id IN %(packages)s UNION "
        "SELECT product_id, coalesce(lot_id, 0), package_id, coalesce(owner_id, 0) "
        "FROM stock_move_line WHERE state = 'done' AND package_id IN %(packages)s "
        "AND date >= %(since)s ORDER BY 1, 2, 3, 4",
        {"packages": tuple(packages.ids), "since": since.replace(microsecond=0)},
    )


def legs_of_pallet(book, move):
    legs = []
    for thing in move["things"]:
        place = (thing["product_id"], move["source"].id)
        place = place + (thing["lot"], thing["package"], thing["owner"])
        product = env["product.product"].browse(thing["product_id"])
        quantity = rounded(figure(book, place, move["order"]), product)
        if quantity <= 0:
            continue
        package = env[PACKAGE_MODEL].browse(thing["package"])
        legs.append(
            leg_of(
                move["event"], move["number"], product, move["source"], move["destination"],
                quantity, env["stock.lot"].browse(thing["lot"] or []), package, package,
                env["res.partner"].browse(thing["owner"] or []),
            )
        )  # fmt: skip
    if not legs:
        # Older events that brought it may be on their way.
        refuse(
            "insufficient_stock",
            "Package %s held nothing at %s as of %s UTC."
            % (
                move["pallet"].name,
                move["source"].complete_name,
                move["event"]["occurred"][:19],
            ),
        )
    return legs


def keep_on_pallet(moves):
    # Odoo 19 takes a package out of its pallet when it moves, unless told where it goes.
    for move in moves:
        if "pallet" in move and len(move["packages"]) > 1:
            for package in move["packages"] - move["pallet"]:
                package.write({"package_dest_id": package.parent_package_id.id})
