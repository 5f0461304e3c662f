# The batch: checked, claimed, applied in groups with a savepoint each, answered. A group that fails is
# rolled back and halved, until the one event at fault stands alone; what follows it on its document
# is skipped, because it would be wrong without it.

HANDLERS = {
    "transfer.line": apply_lines,
    "transfer.done": apply_done,
    "event.reversed": apply_reversed,
    "stock.moved": apply_moves,
    "count.recorded": apply_counts,
    "scrap.recorded": apply_scraps,
    "package.packed": apply_packed,
    "label.printed": apply_printed,
}
RUNS = ("stock.moved", "count.recorded", "scrap.recorded")
state["results"] = {}
state["blocked"] = set()
state["done"] = []
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


def refused(event, code, sentence):
    state["results"][event["key"]] = {"status": "refused", "code": code, "message": sentence}
    if lane_of(event):
        state["blocked"].add(lane_of(event))


def run_group(events):
    waiting = []
    for event in events:
        if lane_of(event) in state["blocked"]:
            state["results"][event["key"]] = {"status": "skipped"}
        else:
            waiting.append(event)
    if not waiting:
        return
    point = env.cr.savepoint()
    try:
        answers = HANDLERS[waiting[0]["kind"]](waiting)
        env.flush_all()
        settle_claims([(waiting[i], answers[i]) for i in range(len(waiting))])
    except Exception as error:
        if pgcode(error) in RETRIED:
            raise
        point.close(rollback=True)
        if len(waiting) == 1:
            code, sentence = reason(error)
            refused(waiting[0], code, sentence)
        else:
            half = len(waiting) // 2
            run_group(waiting[:half])
            run_group(waiting[half:])
        return
    point.close(rollback=False)
    for i in range(len(waiting)):
        record = answers[i]["record"]
        state["results"][waiting[i]["key"]] = {
            "status": "applied",
            "notes": answers[i]["notes"],
            "record": {"model": record._name, "id": record.id, "name": record.display_name}
            if record
            else None,
        }


def groups_of(events):
    # Lines move no stock, so they wait until something else of their document comes: what twenty
    # scans did to a transfer becomes one write.
    lines, run, groups = {}, [], []
    for event in events:
        lane = lane_of(event)
        if event["kind"] == "transfer.line":
            lines.setdefault(lane, []).append(event)
            continue
        if run and (run[0]["kind"] != event["kind"] or event["kind"] not in RUNS):
            groups.append(run)
            run = []
        if lane in lines:
            groups.append(lines.pop(lane))
        run.append(event)
    if run:
        groups.append(run)
    return groups + list(lines.values())


def too_old(events):
    # Claims before the horizon were pruned: a repeat could not be told from a first.
    horizon = env["ir.config_parameter"].sudo().get_param("warehouse_edge.horizon")
    if not horizon:
        return []
    return [e for e in events if moment(e["occurred"]) < moment(horizon)]


def apply_batch(events):
    fresh = claim(events) if events else set()
    again = [e for e in events if e["key"] not in fresh]
    if again:
        state["results"].update(earlier_answers(again))
    new = [e for e in events if e["key"] in fresh]
    learn_lanes(new)
    for event in too_old(new):
        refused(
            event,
            "older_than_horizon",
            "Claims before %s were pruned: whether this event was "
            "applied before cannot be told."
            % env["ir.config_parameter"].sudo().get_param("warehouse_edge.horizon"),
        )
    for event in new:
        ahead = (moment(event["occurred"]) - state["now"]).total_seconds()
        if ahead > LATE_SECONDS:
            refused(
                event,
                "future_time",
                "The event is dated %s UTC, %d minutes in the future."
                % (event["occurred"][:19], ahead / 60),
            )
    for group in groups_of([e for e in new if e["key"] not in state["results"]]):
        run_group(group)
    release([e["key"] for e in new if state["results"][e["key"]]["status"] != "applied"])
    return {
        "results": [dict(state["results"][e["key"]], key=e["key"]) for e in events],
        "watermark": new_watermark(),
    }


action = check_database() or apply_batch(batch["events"])
