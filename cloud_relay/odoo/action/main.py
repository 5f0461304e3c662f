# The batch: checked, claimed, applied in groups with a savepoint each, answered. A group that fails is
# rolled back and halved, until the one event at fault stands alone; what follows it on its document
# is skipped, because it would be wrong without it.

state["results"] = {}
state["blocked"] = set()


def refused(event, code, sentence):
    state["results"][event["key"]] = {"status": "refused", "code": code, "message": sentence}
    if lane_of(event):
        state["blocked"].add(lane_of(event))


def run_group(events):
    waiting = []
    for event in events:
        if lane_of(event) in state["blocked"]:
            state["results"][event["key"]] = {"status": "skipped"}
        elif not refused_by_time(event):
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
    answer_applied(list(zip(waiting, answers)))


def answer_applied(done):
    for event, answer in done:
        record = answer["record"]
        state["results"][event["key"]] = {
            "status": "applied",
            "notes": answer["notes"],
            "record": {"model": record._name, "id": record.id, "name": record.display_name}
            if record
            else None,
        }


def look_up_horizon():
    return env["ir.config_parameter"].sudo().get_param("warehouse_edge.horizon")


def refused_by_time(event):
    # Claims before the horizon were pruned: a repeat could not be told from a first. And what is
    # dated in the future was dated by a clock that is wrong.
    horizon = cached("horizon", look_up_horizon)
    ahead = (moment(event["occurred"]) - state["now"]).total_seconds()
    if horizon and moment(event["occurred"]) < moment(horizon):
        refused(
            event,
            "older_than_horizon",
            "Claims before %s UTC were pruned: whether this event was applied before cannot "
            "be told." % horizon,
        )
        return True
    if ahead > FUTURE_SECONDS:
        refused(
            event,
            "future_time",
            "The event is dated %s UTC, %d minutes in the future."
            % (event["occurred"][:19], ahead / 60),
        )
        return True
    return False


def apply_batch(events):
    # `new` were claimed just now; a second copy within the batch is answered as its first is.
    fresh = claim(events) if events else set()
    new, again, first = [], [], {}
    for event in events:
        if event["key"] not in fresh:
            again.append(event)
        elif event["key"] not in first:
            first[event["key"]] = event
            new.append(event)
    learn_lanes(new)
    prefetch_goods(new)
    for group in groups_of(new):
        run_group(group)
    apply_short(new)
    released = []
    for event in new:
        if state["results"][event["key"]]["status"] != "applied":
            released.append(event["key"])
    release(released)
    earlier = earlier_answers(again) if again else {}
    results = []
    for event in events:
        if event["key"] in first:
            answer = state["results"][event["key"]]
            if event["digest"] != first[event["key"]]["digest"]:
                answer = conflict(event)
        else:
            answer = earlier[event["key"]]
            if event["digest"] != answer["digest"]:
                answer = conflict(event)
        results.append(
            {
                "key": event["key"],
                "status": answer["status"],
                "code": answer.get("code", ""),
                "message": answer.get("message", ""),
                "record": answer.get("record"),
                "notes": answer.get("notes", []),
            }
        )
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
