# The batch: checked, claimed, applied in groups with a savepoint each, answered. A group that fails is
# rolled back and halved, until the one event at fault stands alone; what follows it on its document
# is skipped, because it would be wrong without it.

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
        settle_claims(list(zip(waiting, answers)))
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
    for event, answer in zip(waiting, answers):
        record = answer["record"]
        state["results"][event["key"]] = {
            "status": "applied",
            "notes": answer["notes"],
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


def refuse_by_time(events):
    # Claims before the horizon were pruned: a repeat could not be told from a first. And what is
    # dated in the future was dated by a clock that is wrong.
    horizon = env["ir.config_parameter"].sudo().get_param("warehouse_edge.horizon")
    for event in events:
        ahead = (moment(event["occurred"]) - state["now"]).total_seconds()
        if horizon and moment(event["occurred"]) < moment(horizon):
            refused(
                event,
                "older_than_horizon",
                "Claims before %s UTC were pruned: whether this event was applied before cannot "
                "be told." % horizon,
            )
        elif ahead > FUTURE_SECONDS:
            refused(
                event,
                "future_time",
                "The event is dated %s UTC, %d minutes in the future."
                % (event["occurred"][:19], ahead / 60),
            )


def apply_batch(events):
    fresh = claim(events) if events else set()
    new, again, seen = [], [], set()
    for event in events:
        (new if event["key"] in fresh and event["key"] not in seen else again).append(event)
        seen.add(event["key"])
    learn_lanes(new)
    refuse_by_time(new)
    open_events = []
    for event in new:
        if event["key"] not in state["results"]:
            open_events.append(event)
    for group in groups_of(open_events):
        run_group(group)
    released = []
    for event in new:
        if state["results"][event["key"]]["status"] != "applied":
            released.append(event["key"])
    answers = dict(state["results"])
    if again:
        answers.update(earlier_answers(again))
    release(released)
    results = []
    for event in events:
        results.append(dict(answers[event["key"]], key=event["key"]))
    return {"results": results, "watermark": new_watermark()}


def look_around():
    # For `cloud-relay odoo check`: what this user is and may, and what its binding is called.
    user, company = env.user, state["company"].sudo().exists()
    if company not in user.company_ids:
        company = company.browse()
    return {
        "uuid": state["uuid"],
        "stock_user": user.has_group("stock.group_stock_user"),
        "administrator": user.has_group("base.group_system"),
        "company": company.name or "",
        "warehouses": env["stock.warehouse"]
        .sudo()
        .search_read([("company_id", "=", company.id)], ["name"]),
    }


def run_batch():
    stop = check_database()
    if stop:
        return stop
    if batch.get("check"):
        return look_around()
    return apply_batch(batch["events"])


action = run_batch()
