# Events that lacked stock, judged together. Goods that went out and came back, and were taken after
# that by an event that arrived first: each of the three is impossible without the others. So what
# was refused for want of stock is tried once more, all of a batch in the order it happened, with one
# judgement at the end. What is missing then is missing.

TOGETHER = ("stock.moved", "scrap.recorded", "count.recorded", "transfer.done")
MOST_TOGETHER = 50
MOST_ROUNDS = 6


def apply_short(events):
    waiting, changed = [], False
    for event in events:
        result = state["results"][event["key"]]
        changed = changed or result["status"] == "applied"
        if result.get("code") == "insufficient_stock" and event["kind"] in TOGETHER:
            waiting.append((event["occurred"], len(waiting), event))
    waiting = [event for occurred, number, event in sorted(waiting)][:MOST_TOGETHER]
    rounds = 0
    # One alone was judged already, unless something came after it.
    while len(waiting) > (0 if changed else 1) and rounds < MOST_ROUNDS:
        short = short_together(waiting)
        if not short:
            return
        rest = []
        for event in waiting:
            if event["key"] not in short:
                rest.append(event)
        waiting = rest
        rounds += 1


def short_together(events):
    # Applies them all and answers nothing, or applies none and answers the keys of what is short.
    point = env.cr.savepoint()
    state["unjudged"] = []
    done, short = [], set()
    try:
        for event in events:
            key = event["key"]
            done.append((event, HANDLERS[event["kind"]]([event])[0]))
        unjudged, state["unjudged"] = state["unjudged"], None
        short = short_of(unjudged)
        if not short:
            env.flush_all()
            settle_claims(done)
    except Exception as error:
        if pgcode(error) in RETRIED:
            raise
        short.add(key)
    state["unjudged"] = None
    point.close(rollback=bool(short))
    if not short:
        answer_applied(done)
    return short


def short_of(unjudged):
    # The keys of events to leave out: at each place that falls below zero, the last that took from it
    # before it did.
    if not unjudged:
        return set()
    places, since = set(), unjudged[0]["order"][0]
    for taking in unjudged:
        places.add(taking["place"])
        since = min(since, taking["order"][0])
    book, last = open_book(places, since), {}
    for taking in unjudged:
        place, order = taking["place"], taking["order"]
        left, when = first_short(book, place, order)
        if left is None:
            continue
        when = when[:2]
        known = last.get(place)
        if (
            known is None
            or when < known["when"]
            or (when == known["when"] and order > known["order"])
        ):
            last[place] = {"when": when, "order": order, "key": taking["event"]["key"]}
    return set([known["key"] for known in last.values()])


def first_short(book, place, order):
    # (quantity, when) of the first time it falls below zero before the next count or ride, or Nones.
    product, barrier = env["product.product"].browse(place[0]), next_barrier(book, place, order)
    end = barrier and barrier[0]
    orders = set([order])
    for at, delta in book["steps"][place]:
        if at > order and (end is None or at < end):
            orders.add(at)
    for at in sorted(orders):
        left = figure(book, place, at)
        if less(left, 0.0, product):
            return left, at
    return None, None
