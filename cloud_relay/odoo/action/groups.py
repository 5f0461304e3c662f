# Which events are applied together. Invariants: events of one document keep their order; a scan may go
# ahead of what came before it only if that cannot matter to it, and wait only until something else
# of its document comes. Scans move no stock, so what twenty of them did becomes one write.

RUNS = ("stock.moved", "count.recorded", "scrap.recorded", "transfer.done")
state["document"] = {}


def lane_of(event):
    # The document whose events keep their order; a take-back belongs to that of its event.
    if event["kind"] == "scrap.recorded":
        return None
    return state["document"].get(event["key"]) or document_of(event)


def learn_lanes(events):
    known = dict([(e["key"], document_of(e)) for e in events])
    for event in events:
        if event["kind"] != "event.reversed":
            continue
        key = reversed_key(event)
        document = known.get(key)
        if document is None:
            found = rows_of("SELECT x_document FROM x_edge_event WHERE x_key = %s", [key])
            document = found and found[0]["x_document"] or None
        state["document"][event["key"]] = document


def learn_documents(events):
    # By name: `ready` when nothing that happens elsewhere can change where its goods are reserved,
    # `incoming` when nothing is reserved for it at all.
    names = set([document_of(e) for e in events if document_of(e)])
    facts = {}
    prefetch_documents(names)
    if names:
        for row in rows_of(
            "SELECT p.name, t.code = 'incoming' AS incoming, p.state = 'assigned' "
            "AND bool_and(m.state IN ('assigned', 'done', 'cancel')) AS ready "
            "FROM stock_picking p JOIN stock_picking_type t ON t.id = p.picking_type_id "
            "JOIN stock_move m ON m.picking_id = p.id "
            "WHERE p.name IN %s AND p.company_id = %s GROUP BY p.id, t.code",
            [tuple(names), state["company"].id],
        ):
            facts[row["name"]] = row
    return facts


def may_wait(event, facts):
    # A scan that names its place, or of a receipt, means the same after other stock moved.
    return bool(event["data"].get("from")) or facts.get(lane_of(event), {}).get("incoming")


def groups_of(events):
    facts = learn_documents(events)
    pending, run, groups = {}, [], []

    for event in events + [None]:
        lane = event and lane_of(event)
        lanes = set([lane_of(e) for e in run])
        is_line = event and event["kind"] == "transfer.line"
        if run and (
            event is None
            or lane in lanes
            and lane is not None
            or is_line
            and not facts.get(lane, {}).get("ready")
            or not is_line
            and (event["kind"] != run[0]["kind"] or event["kind"] not in RUNS)
        ):
            groups += lines_before(pending, lanes, facts) + [run]
            run = []
        if is_line:
            pending.setdefault(lane, []).append(event)
        elif event:
            run.append(event)
    return groups + lines_before(pending, set(pending), facts)


def lines_before(pending, lanes, facts):
    # The scans that must be there before a run: those of its documents, and those that may not wait.
    found = []
    for lane in list(pending):
        waits = lane not in lanes
        for event in pending[lane]:
            waits = waits and may_wait(event, facts)
        if not waits:
            found += pending.pop(lane)
    return [found] if found else []
