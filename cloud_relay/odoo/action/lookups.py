# From what a label says to what Odoo calls it. Nothing outside the binding is ever found, and what
# is not found or not clear is refused by name.

UNITS = {
    "C62": "product_uom_unit",
    "EA": "product_uom_unit",
    "DZN": "product_uom_dozen",
    "KGM": "product_uom_kgm",
    "GRM": "product_uom_gram",
    "TNE": "product_uom_ton",
    "LBR": "product_uom_lb",
    "ONZ": "product_uom_oz",
    "MTR": "product_uom_meter",
    "KMT": "product_uom_km",
    "CMT": "product_uom_cm",
    "MMT": "product_uom_millimeter",
    "INH": "product_uom_inch",
    "FOT": "product_uom_foot",
    "YRD": "product_uom_yard",
    "SMI": "product_uom_mile",
    "MTK": "uom_square_meter",
    "LTR": "product_uom_litre",
    "MTQ": "product_uom_cubic_meter",
    "INQ": "product_uom_cubic_inch",
    "FTQ": "product_uom_cubic_foot",
    "OZA": "product_uom_floz",
    "QT": "product_uom_qt",
    "GLL": "product_uom_gal",
    "HUR": "product_uom_hour",
    "DAY": "product_uom_day",
}
PIECE = env.ref("uom.product_uom_unit", raise_if_not_found=False)


def look_up_unit(code):
    name = UNITS.get(code)
    return name and env.ref("uom." + name, raise_if_not_found=False)


def find_unit(code):
    unit = cached("unit", look_up_unit, code)
    if not unit:
        refuse("unknown_unit", "Odoo has no unit for the code %s." % code)
    return unit


def convertible(unit, other):
    # Odoo 19 has no categories and turns half a kilogram into pieces without a word.
    if UNITS_HAVE_CATEGORIES:
        return unit.category_id == other.category_id
    return unit._has_common_reference(other)


def converted(quantity, unit, product):
    # From `unit` to the product's own, unrounded: what does not fit is refused, never rounded away.
    if unit == product.uom_id:
        return quantity
    if not convertible(unit, product.uom_id):
        refuse(
            "unknown_unit",
            "%s is counted in %s, which %s cannot be turned into."
            % (product.display_name, product.uom_id.name, unit.name),
        )
    return unit._compute_quantity(quantity, product.uom_id, round=False)


def spellings(barcode, gtin):
    # Odoo may hold any of the 14, 13, 12 or 8 digit spellings of a GTIN.
    found = [barcode]
    if not gtin and barcode.isdigit() and len(barcode) in (8, 12, 13, 14):
        gtin = barcode.zfill(14)
    if gtin:
        for digits in (14, 13, 12, 8):
            if gtin[: 14 - digits].strip("0") == "":
                found.append(gtin[14 - digits :])
    return found


def search_products(names):
    return env["product.product"].search(
        [("barcode", "in", names), ("company_id", "in", [False, state["company"].id])]
    )


def prefetch_goods(events):
    # The barcodes of a whole batch in one query; lines of a package are few and looked up singly.
    names = set()
    for event in events:
        if event["data"].get("barcode"):
            gs1 = event["data"].get("gs1") or {}
            gtin = gs1.get("gtin") or gs1.get("content") or ""
            names.update(spellings(event["data"]["barcode"], gtin))
    known = dict([(name, env["product.product"]) for name in names])
    for product in search_products(list(names)) if names else []:
        # Not `|=` on an empty set: the products of one search are read together later.
        known[product.barcode] = (
            known[product.barcode] | product if known[product.barcode] else product
        )
    state["barcodes"] = known


def known_barcode(name):
    known = state["barcodes"]
    if name not in known:
        known[name] = search_products([name])
    return known[name]


def look_up_barcode(barcode, gtin):
    # (product, unit that the barcode names one of); a packaging in Odoo 17 and 18 is a multiple.
    products = env["product.product"]
    for name in spellings(barcode, gtin):
        products |= known_barcode(name)
    if len(products) > 1:
        refuse(
            "ambiguous_barcode",
            "The barcode %s is on several products: %s."
            % (barcode, ", ".join(products.mapped("display_name"))),
        )
    if products:
        return products, 1.0
    packagings = env[PACKAGING_MODEL].search([("barcode", "in", spellings(barcode, gtin))])
    packagings = packagings.filtered(
        lambda p: p.product_id.company_id.id in (False, state["company"].id)
    )
    if len(packagings) > 1:
        refuse(
            "ambiguous_barcode",
            "The barcode %s is on several packagings: %s."
            % (barcode, ", ".join(packagings.mapped("product_id.display_name"))),
        )
    if not packagings:
        refuse("unknown_barcode", "No product or packaging in Odoo has the barcode %s." % barcode)
    product = packagings.product_id
    if PACKAGING_MODEL == "product.uom":
        return product, converted(1.0, packagings.uom_id, product)
    return product, packagings.qty


def agree(what, given, said):
    # The field, or what the barcode says; both and different is a contradiction.
    if given and said and given != said:
        refuse("contradiction", "The event says %s %s, its barcode says %s." % (what, given, said))
    return given or said or ""


def read_lot(product, data, gs1):
    serial, lot, given = gs1.get("serial") or "", gs1.get("lot") or "", data.get("lot") or ""
    if given and (serial or lot) and given not in (serial, lot):
        refuse(
            "contradiction",
            "The event says lot or serial %s, its barcode says %s." % (given, serial or lot),
        )
    if product.tracking == "none":
        return ""
    said = (serial or lot) if product.tracking == "serial" else (lot or serial)
    return given or said


def find_goods(data):
    # What the event names and how many of it, in the product's own unit.
    gs1 = data.get("gs1") or {}
    barcode = data["barcode"]
    gtin = gs1.get("gtin") or gs1.get("content") or ""
    product, each = cached("barcode", look_up_barcode, barcode, gtin)
    quantity = float(data["quantity"])
    if gs1.get("count") and float(gs1["count"]) != quantity and not data.get("uom"):
        refuse(
            "contradiction",
            "The event says %s of it, its barcode says %s." % (data["quantity"], gs1["count"]),
        )
    if data.get("uom"):
        quantity = converted(quantity, find_unit(data["uom"]), product)
    else:
        quantity = quantity * each
    return {
        "product": product,
        "quantity": checked_quantity(quantity, product),
        "lot": read_lot(product, data, gs1),
        "package": read_package(data, gs1),
    }


def read_package(data, gs1):
    given, sscc = data.get("package") or "", gs1.get("sscc") or ""
    if sscc and given in ("00" + sscc, "(00)" + sscc):
        return sscc
    return agree("package", given, sscc)


def checked_quantity(quantity, product):
    whole = rounded(quantity, product)
    if abs(whole - quantity) > 1e-6 * max(1.0, abs(quantity)):
        refuse(
            "bad_quantity",
            "%s %s of %s is finer than Odoo keeps it."
            % (figure_text(quantity), product.uom_id.name, product.display_name),
        )
    if product.uom_id == PIECE and abs(whole - round(whole)) > 1e-6:
        refuse(
            "bad_quantity",
            "%s is counted in whole pieces, not %s."
            % (product.display_name, figure_text(quantity)),
        )
    return whole


def place_inside_binding(place):
    # Goods on the way between warehouses lie in a transit place that belongs to none.
    if place.usage == "transit" and not place.warehouse_id:
        return True
    return place.usage != "internal" or place.warehouse_id in state["warehouses"]


def look_up_location(name):
    Location = env["stock.location"]
    company = ("company_id", "in", [False, state["company"].id])
    found = Location.search([("barcode", "=", name), company])
    if not found:
        found = Location.search([("complete_name", "=", name), company])
    inside = found.filtered(place_inside_binding)
    if found and not inside:
        refuse(
            "outside_binding",
            "The location %s belongs to a warehouse this site may not touch." % name,
        )
    if len(inside) > 1:
        refuse("unknown_location", "Several locations are called %s: label them apart." % name)
    if not inside:
        refuse("unknown_location", "No location has the barcode or name %s." % name)
    if inside.usage == "view":
        refuse("unknown_location", "%s is a view that holds no stock: name a place in it." % name)
    return inside


def find_location(name):
    return cached("location", look_up_location, name)


def find_own_location(name):
    # Where goods move, are counted or scrapped without a document: what is on its way between
    # warehouses may be another one's.
    place = find_location(name)
    if place.usage == "transit" and place.warehouse_id not in state["warehouses"]:
        refuse(
            "outside_binding",
            "What is at %s is on its way between warehouses: it moves with its transfer." % name,
        )
    return place


def find_lot(product, name):
    return env["stock.lot"].search(
        [
            ("product_id", "=", product.id),
            ("name", "=", name),
            ("company_id", "in", [False, state["company"].id]),
        ],
        limit=1,
    )


def need_lot(goods):
    # The lot of goods that must exist already; empty for what is not tracked.
    product, name = goods["product"], goods["lot"]
    if product.tracking == "none":
        return env["stock.lot"]
    if not name:
        refuse(
            "missing_lot",
            "%s is tracked: the event names no lot or serial number." % (product.display_name),
        )
    if product.tracking == "serial" and not same(goods["quantity"], 1.0, product):
        if not same(goods["quantity"], 0.0, product):
            refuse(
                "bad_quantity",
                "Serial number %s of %s is one piece, not %s."
                % (name, product.display_name, figure_text(goods["quantity"])),
            )
    lot = find_lot(product, name)
    if not lot:
        refuse("unknown_lot", "%s has no lot or serial number %s." % (product.display_name, name))
    return lot


def make_lot(product, name):
    # Names of lots are not unique in Odoo, so the name is claimed first: the second of two
    # transactions that make it fails with 40001, is replayed by the server, and finds the first's.
    claim_name("lot", "%s|%s|%s" % (state["company"].id, product.id, name))
    values = {"product_id": product.id, "name": name}
    if LOT_NEEDS_COMPANY or product.company_id:
        values["company_id"] = state["company"].id
    return env["stock.lot"].create(values)


def find_package(name):
    found = env[PACKAGE_MODEL].search(
        [("name", "=", name), ("company_id", "in", [False, state["company"].id])]
    )
    for package in found:
        if package.company_id or not packed_elsewhere(package):
            return package
    return found.browse()


def packed_elsewhere(package):
    # An empty package belongs to no company, but another one may be filling it.
    return rows_of(
        "SELECT 1 FROM stock_move_line WHERE result_package_id = %s AND company_id <> %s "
        "AND state NOT IN ('done', 'cancel') LIMIT 1",
        [package.id, state["company"].id],
    )


def need_package(name):
    package = find_package(name)
    if not package:
        refuse("unknown_package", "Odoo knows no package %s." % name)
    return package


def make_package(name):
    claim_name("package", "%s|%s" % (state["company"].id, name))
    return env[PACKAGE_MODEL].create({"name": name})


def search_documents(names):
    # Names of transfers repeat across companies: only this company's are looked at.
    return env["stock.picking"].search(
        [("name", "in", names), ("company_id", "=", state["company"].id)]
    )


def inside_binding(picking):
    return picking.picking_type_id.warehouse_id in state["warehouses"]


def prefetch_documents(names):
    # The documents of a whole batch; what is not found or not clear is looked up and refused later.
    if names:
        for picking in search_documents(list(names)):
            if inside_binding(picking):
                state["cache"].setdefault("document", {})[(picking.name,)] = picking


def look_up_document(name):
    found = search_documents([name])
    inside = found.filtered(inside_binding)
    if found and not inside:
        refuse("outside_binding", "%s belongs to a warehouse this site may not touch." % name)
    if not inside:
        refuse("unknown_document", "There is no transfer %s in %s." % (name, state["company"].name))
    return inside[0]


def find_document(name):
    if isinstance(name, dict):
        refuse(
            "not_supported_yet",
            "Transfers named by what they follow (after %s) are not "
            "supported by this version." % name.get("after"),
        )
    return cached("document", look_up_document, name)


def open_document(name):
    picking = find_document(name)
    if picking.state in ("done", "cancel"):
        refuse(
            "document_closed",
            "%s is %s." % (name, "done" if picking.state == "done" else "cancelled"),
        )
    if picking.state in ("draft", "waiting"):
        refuse(
            "document_not_ready",
            "%s is %s."
            % (name, "a draft" if picking.state == "draft" else "waiting for another transfer"),
        )
    return picking
