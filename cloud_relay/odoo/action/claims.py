# Invariants: a key has at most one row (unique index), made in the transaction that makes its effect.
# What is refused or skipped releases its row. Rows are written by SQL, because users may only read.

CLAIM_COLUMNS = (
    "x_key",
    "x_digest",
    "x_kind",
    "x_device",
    "x_site",
    "x_document",
    "x_occurred",
    "x_recorded",
)
EFFECT_COLUMNS = (
    "x_key",
    "x_device",
    "x_kind",
    "x_picking_id",
    "x_move_id",
    "x_move_line_id",
    "x_product_id",
    "x_from_id",
    "x_to_id",
    "x_lot_id",
    "x_package_id",
    "x_result_package_id",
    "x_qty",
    "x_time",
    "x_state",
    "x_counted",
)


def rows_of(query, params=()):
    env.cr.execute(query, params)
    return env.cr.dictfetchall()


def insert_rows(table, columns, rows, rest=""):
    # One statement for all rows: a statement each would cost a round trip each.
    line = "(%s)" % ", ".join(["%s"] * len(columns))
    env.cr.execute(
        "INSERT INTO %s (%s) VALUES %s %s"
        % (table, ", ".join(columns), ", ".join([line] * len(rows)), rest),
        [value for row in rows for value in row],
    )


def check_database():
    # A staging copy has another uuid, a restored backup an older watermark: both stop the relay
    # before anything is touched. '' lets the first call through.
    uuid = env["ir.config_parameter"].sudo().get_param("database.uuid")
    known = batch.get("database_uuid") or ""
    if known and known != uuid:
        return {"stop": "uuid_changed", "uuid": uuid}
    mark = batch.get("watermark") or {}
    if mark.get("claim"):
        found = rows_of("SELECT x_key FROM x_edge_event WHERE id = %s", [int(mark["claim"])])
        if not found or found[0]["x_key"] != mark.get("key"):
            return {"stop": "went_back", "uuid": uuid}
    # Another text than the relay was made with: an update on one side only, or an edit.
    found = rows_of(
        "SELECT encode(sha256(convert_to(btrim(code, %s), 'UTF8')), 'hex') AS digest "
        "FROM ir_act_server WHERE id = %s",
        [" \n", batch["action"]],
    )
    if not found or found[0]["digest"] != batch["action_digest"]:
        return {"stop": "action_changed", "uuid": uuid}
    state["uuid"] = uuid
    return None


def new_watermark():
    newest = rows_of("SELECT id, x_key FROM x_edge_event ORDER BY id DESC LIMIT 1")
    if not newest:
        return {"uuid": state["uuid"]}
    return {"uuid": state["uuid"], "claim": str(newest[0]["id"]), "key": newest[0]["x_key"]}


def document_of(event):
    document = event["data"].get("document")
    return document if isinstance(document, str) else None


def claim(events):
    # The keys that are new, claimed for this transaction. Sorted, so that two relays that claim the
    # same keys meet in the same order and cannot deadlock.
    rows = [
        (
            e["key"],
            e["digest"],
            e["kind"],
            e["device"],
            e["site"],
            document_of(e),
            moment(e["occurred"]),
            moment(e["recorded"]),
            state["company"].id,
            env.uid,
        )
        for e in sorted(events, key=lambda e: e["key"])
    ]
    insert_rows(
        "x_edge_event",
        CLAIM_COLUMNS + ("x_company_id", "create_uid"),
        rows,
        "ON CONFLICT (x_key) DO NOTHING RETURNING x_key",
    )
    return set([row["x_key"] for row in env.cr.dictfetchall()])


def claim_name(kind, name):
    key = "%s|%s" % (kind, name)
    insert_rows(
        "x_edge_event",
        ("x_key", "x_kind", "x_company_id", "create_uid", "x_applied"),
        [(key, kind, state["company"].id, env.uid, state["now"])],
        "ON CONFLICT (x_key) DO NOTHING",
    )


def release(keys):
    if keys:
        env.cr.execute("DELETE FROM x_edge_event WHERE x_key IN %s", [tuple(keys)])


def conflict(event):
    return {
        "status": "refused",
        "code": "content_conflict",
        "message": "Device %s used the same id for something else before." % event["device"],
    }


def earlier_answers(events):
    # What became of events that were claimed before, with the digest they had.
    found = dict(
        [
            (row["x_key"], row)
            for row in rows_of(
                "SELECT x_key, x_digest, x_record_model, x_record_id, x_record_name, x_notes "
                "FROM x_edge_event WHERE x_key IN %s",
                [tuple([e["key"] for e in events])],
            )
        ]
    )
    answers = {}
    for event in events:
        row = found[event["key"]]
        answers[event["key"]] = {
            "status": "duplicate",
            "digest": row["x_digest"],
            "notes": (row["x_notes"] or "").split("\n") if row["x_notes"] else [],
            "record": row["x_record_model"]
            and {
                "model": row["x_record_model"],
                "id": row["x_record_id"],
                "name": row["x_record_name"] or "",
            }
            or None,
        }
    return answers


def settle_claims(done):
    # done: [(event, answer)]. One statement tells every claim what came of it.
    if not done:
        return
    line = "(%s, %s, %s, %s, %s, %s)"
    values = []
    for event, answer in done:
        record = answer["record"]
        picking = None
        if record and record[:1]._name == "stock.picking":
            picking = record.id
        values += [
            event["key"],
            record._name if record else None,
            record.id if record else None,
            record.display_name if record else None,
            picking,
            "\n".join(answer["notes"]) or None,
        ]
    env.cr.execute(
        "UPDATE x_edge_event e SET x_applied = %s, x_record_model = v.model, "
        "x_record_id = v.record::int, x_record_name = v.name, x_picking_id = v.picking::int, "
        "x_notes = v.notes FROM (VALUES " + ", ".join([line] * len(done)) + ") "
        "AS v (key, model, record, name, picking, notes) WHERE e.x_key = v.key",
        [state["now"]] + values,
    )


def effect_row(effect):
    values = [effect["event"]["key"], effect["event"]["device"], effect["kind"]]
    line = effect.get("move_line")
    for record in (
        effect.get("picking"),
        line and line.move_id,
        line,
        effect.get("product"),
        effect.get("source"),
        effect.get("destination"),
        effect.get("lot"),
        effect.get("package"),
        effect.get("result_package"),
    ):
        values.append(record.id if record else None)
    return values + [effect["quantity"], effect["time"], effect["state"], effect.get("counted")]


def note_effects(effects):
    # What events did to exact places; see README.md for the keys of an effect.
    if effects:
        insert_rows("x_edge_effect", EFFECT_COLUMNS, [effect_row(effect) for effect in effects])
