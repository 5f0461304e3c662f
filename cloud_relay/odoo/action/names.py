# Invariants of the whole action: it runs in one transaction; nothing it refuses leaves a trace; every
# record it touches lies inside the binding. This file: what all others stand on, and the few names
# that differ between Odoo 17, 18 and 19.

PACKAGE_MODEL = "stock.package" if "stock.package" in env else "stock.quant.package"
PACKAGING_MODEL = "product.uom" if "product.uom" in env else "product.packaging"
UNITS_HAVE_CATEGORIES = "category_id" in env["uom.uom"]._fields
LOT_NEEDS_COMPANY = env["stock.lot"]._fields["company_id"].required
REFUSAL_MARK = "warehouse-edge-refusal"
FUTURE_SECONDS = 300
# By kind: handler(events) -> answers; each file puts its own in. README.md says what it may do.
HANDLERS = {}
RETRIED = ("40001", "40P01", "55P03")

batch = env.context["relay_batch"]
env = env(
    context={
        "lang": env.context.get("lang") or "en_US",
        "tz": "UTC",
        "allowed_company_ids": [batch["binding"]["company"]],
    }
)
state = {
    "binding": batch["binding"],
    "company": env["res.company"].browse(batch["binding"]["company"]),
    "warehouses": env["stock.warehouse"].browse(batch["binding"]["warehouses"]),
    "now": env.cr.now(),
    "cache": {},
}


def refuse(code, sentence):
    raise UserError("%s|%s|%s" % (REFUSAL_MARK, code, sentence))


def applied(record=None, *notes):
    return {"record": record, "notes": [note for note in notes if note]}


def moment(text):
    if "." in text:
        return datetime.datetime.strptime(text, "%Y-%m-%d %H:%M:%S.%f")
    return datetime.datetime.strptime(text, "%Y-%m-%d %H:%M:%S")


def cached(kind, find, *key):
    # A look-up made once a batch: find(*key). Only records that were there before the batch may go
    # in here: what a rolled back savepoint made is gone.
    store = state["cache"].setdefault(kind, {})
    if key not in store:
        store[key] = find(*key)
    return store[key]


def rounded(quantity, product):
    unit = product.uom_id
    return round(round(quantity / unit.rounding) * unit.rounding, 10)


def same(left, right, product):
    return float_compare(left, right, precision_rounding=product.uom_id.rounding) == 0


def less(left, right, product):
    return float_compare(left, right, precision_rounding=product.uom_id.rounding) < 0


def figure_text(quantity):
    text = "%.6f" % quantity
    return text.rstrip("0").rstrip(".") or "0"


def amount(quantity, product):
    return "%s %s" % (figure_text(rounded(quantity, product)), product.uom_id.name)


def pgcode(error):
    # Only database errors have one, and safe_eval has no getattr.
    try:
        return error.pgcode
    except Exception:
        return None


def reason(error):
    # (code, sentence) of whatever a handler raised.
    text = str(error)
    if text.startswith(REFUSAL_MARK + "|"):
        return text.split("|", 2)[1:]
    if isinstance(error, UserError):
        return ["odoo_refused", "Odoo says: %s" % text]
    return ["odoo_refused", "Odoo failed: %s" % (text or repr(error))]
