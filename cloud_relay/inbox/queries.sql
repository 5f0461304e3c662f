-- Statements of the SQLite inbox by name; `store.py` and its neighbours run them.

-- Arrivals -------------------------------------------------------------------------------------

-- name: note_site
INSERT INTO sites (site, target) VALUES (:site, :target)
ON CONFLICT (site) DO UPDATE SET target = excluded.target WHERE target <> excluded.target;

-- name: add_generation
INSERT INTO generations (site, agent, generation) VALUES (:site, :agent, :generation)
ON CONFLICT DO NOTHING;

-- name: generation
SELECT id FROM generations WHERE site = :site AND agent = :agent AND generation = :generation;

-- name: ranges
SELECT first, last FROM ranges WHERE generation_id = ? ORDER BY first;

-- name: ranges_near
SELECT first, last FROM ranges
WHERE generation_id = :generation AND first <= :last + 1
  AND first >= coalesce((SELECT max(first) FROM ranges
                         WHERE generation_id = :generation AND first < :first), 0)
ORDER BY first;

-- name: drop_range
DELETE FROM ranges WHERE generation_id = ? AND first = ?;

-- name: add_range
INSERT INTO ranges (generation_id, first, last) VALUES (?, ?, ?);

-- name: first_range
SELECT first, last FROM ranges WHERE generation_id = ? ORDER BY first LIMIT 1;

-- name: last_range
SELECT first, last FROM ranges WHERE generation_id = ? ORDER BY first DESC LIMIT 1;

-- name: at_position
SELECT event, device FROM events WHERE generation_id = :generation AND position = :position
UNION ALL
SELECT e.event, e.device FROM copies c JOIN events e USING (number)
WHERE c.generation_id = :generation AND c.position = :position
UNION ALL
SELECT event, device FROM conflicts WHERE generation_id = :generation AND position = :position;

-- name: home_of
SELECT target FROM devices WHERE device = ?;

-- name: note_device
INSERT INTO devices (device, target) VALUES (?, ?)
ON CONFLICT (device) DO UPDATE SET target = excluded.target;

-- name: known
SELECT number, digest, site, status FROM events
WHERE event = ? AND device = ? AND stray = 0;

-- name: known_stray
SELECT number, digest, site, status FROM events
WHERE event = ? AND device = ? AND target = ? AND stray = 1;

-- name: newest_number
SELECT coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'events'), 0);

-- name: add_event
INSERT INTO events (
  number, event, device, digest, site, target, kind, lane, place, moment, generation_id, position,
  occurred, received, status, blocked, stray, awaits, next_attempt, code, message, text
) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?);

-- name: add_copy
INSERT INTO copies (generation_id, position, number) VALUES (?, ?, ?) ON CONFLICT DO NOTHING;

-- name: add_conflict
INSERT INTO conflicts (generation_id, position, event, device, received, text)
VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING;

-- name: lane_of
SELECT lane, number FROM events WHERE event = ? AND device = ? AND stray = 0;

-- name: any_awaiting
SELECT 1 FROM events WHERE awaits IS NOT NULL LIMIT 1;

-- name: awaiting
SELECT number, event, device, site, target, status FROM events
WHERE awaits = ? AND device = ? AND (status = 'short' OR status = 'held');

-- name: join_lane
UPDATE events SET lane = :lane, place = :place, behind = 1, status = 'waiting', awaits = NULL,
  next_attempt = NULL, code = '', message = '', blocked = :blocked
WHERE number = :number;

-- name: lane_is_held
SELECT 1 FROM events WHERE target = ? AND lane = ? AND status = 'held' AND lane IS NOT NULL LIMIT 1;

-- Verdicts and people --------------------------------------------------------------------------

-- name: numbered
SELECT * FROM events WHERE number = ?;

-- name: settle
UPDATE events SET status = :status, code = :code, message = :message, record = :record,
  applied = :applied, next_attempt = :next_attempt, attempts = attempts + :attempted,
  awaits = CASE WHEN :code = 'unknown_event' OR :status IN ('waiting', 'short') THEN awaits END
WHERE number = :number;

-- name: block_lane
UPDATE events SET blocked = 1
WHERE target = ? AND lane = ? AND lane IS NOT NULL AND status IN ('waiting', 'short')
  AND blocked = 0;

-- name: free_lane
UPDATE events SET blocked = 0
WHERE target = ? AND lane = ? AND lane IS NOT NULL AND status IN ('waiting', 'short')
  AND blocked = 1;

-- name: give_up
UPDATE events SET status = :status, code = :code, message = :message, awaits = NULL
WHERE number = :number;

-- name: try_again
UPDATE events SET status = 'waiting', attempts = 0, next_attempt = NULL, code = '', message = '',
  blocked = 0
WHERE number = ?;

-- name: is_known
SELECT 1 FROM events WHERE event = ? AND device = ? AND stray = 0;

-- name: take_home
UPDATE events SET stray = 0, lane = ? WHERE number = ?;

-- name: other_sites
SELECT DISTINCT g.site FROM copies c JOIN generations g ON g.id = c.generation_id
WHERE c.number = ?;

-- name: add_outcome
INSERT INTO outcomes (number, site, echo, at, text) VALUES (?, ?, ?, ?, ?);

-- name: tell_again
INSERT INTO outcomes (number, site, echo, at, text)
SELECT number, :site, 1, at, text FROM outcomes WHERE number = :number AND echo = 0
ORDER BY cursor DESC LIMIT 1;

-- name: count
INSERT INTO counters (site, name, value) VALUES (?, ?, ?)
ON CONFLICT (site, name) DO UPDATE SET value = value + excluded.value;

-- name: applied_since
SELECT number, site, event, device FROM events
WHERE target = ? AND status = 'applied' AND applied >= ?;

-- name: requeue
UPDATE events SET status = 'waiting', attempts = 0, next_attempt = NULL, applied = NULL,
  record = NULL,
  blocked = lane IS NOT NULL AND EXISTS (
    SELECT 1 FROM events h
    WHERE h.target = events.target AND h.lane = events.lane AND h.status = 'held'
      AND h.lane IS NOT NULL)
WHERE target = ? AND status = 'applied' AND applied >= ?;

-- name: add_audit
INSERT INTO audit (at, who, action, subject, reason) VALUES (?, ?, ?, ?, ?);

-- name: audit
SELECT at, who, action, subject, reason FROM audit ORDER BY id DESC LIMIT ?;

-- name: raise_alarm
INSERT INTO alarms (key, site, message, raised) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING;

-- name: alarms
SELECT key, site, message, raised FROM alarms WHERE cleared IS NULL ORDER BY id;

-- name: clear_alarm
UPDATE alarms SET cleared = ? WHERE key = ? AND cleared IS NULL;

-- name: watermark
SELECT name, value FROM watermarks WHERE target = ?;

-- name: drop_watermark
DELETE FROM watermarks WHERE target = ?;

-- name: add_watermark
INSERT INTO watermarks (target, name, value) VALUES (?, ?, ?);

-- Questions ------------------------------------------------------------------------------------

-- name: ready
SELECT * FROM events
WHERE target = ? AND status IN ('waiting', 'short') AND blocked = 0 ORDER BY place, behind;

-- name: ready_in_lane
SELECT * FROM events INDEXED BY events_lane
WHERE target = ? AND lane = ? AND status IN ('waiting', 'short') AND blocked = 0
ORDER BY place, behind;

-- name: any_short_due
SELECT 1 FROM events
WHERE target = ? AND status IN ('waiting', 'short') AND blocked = 0 AND next_attempt IS NOT NULL
  AND next_attempt <= ? AND status = 'short' AND awaits IS NULL LIMIT 1;

-- name: next_due
SELECT min(next_attempt) FROM events
WHERE target = ? AND status IN ('waiting', 'short') AND blocked = 0 AND next_attempt IS NOT NULL
  AND next_attempt > ?;

-- name: oldest_open
SELECT min((SELECT min(occurred) FROM events
            WHERE site = s.site AND status = 'waiting' AND blocked = 0
              AND status IN ('waiting', 'short', 'held', 'aside')))
FROM sites s WHERE s.target = ?;

-- name: agents_of_target
SELECT a.heartbeat, a.heard FROM agents a JOIN sites s USING (site) WHERE s.target = ?;

-- name: downlink
SELECT cursor, text FROM outcomes WHERE site = ? AND cursor > ? ORDER BY cursor LIMIT ?;

-- name: newest_cursor
SELECT coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'outcomes'), 0);

-- name: gap_at
SELECT before FROM openings WHERE through >= ? ORDER BY through LIMIT 1;

-- name: widen_gap
UPDATE openings SET through = :through WHERE through = :newest;

-- name: add_gap
INSERT INTO openings (before, through) VALUES (:newest, :through);

-- name: skip_cursors
UPDATE sqlite_sequence SET seq = :through WHERE name = 'outcomes';

-- name: begin_cursors
INSERT INTO sqlite_sequence (name, seq) VALUES ('outcomes', :through);

-- name: held
SELECT * FROM events INDEXED BY events_open WHERE status IN ('held', 'aside')
  AND status IN ('waiting', 'short', 'held', 'aside') ORDER BY number;

-- name: held_at
SELECT * FROM events INDEXED BY events_open WHERE site = ? AND status IN ('held', 'aside')
  AND status IN ('waiting', 'short', 'held', 'aside') ORDER BY number;

-- name: entry
SELECT * FROM events WHERE event = ? AND device = ? AND stray = 0;

-- name: stray_entry
SELECT * FROM events WHERE event = ? AND device = ? AND stray = 1 ORDER BY number LIMIT 1;

-- name: behind
SELECT count(*) FROM events w JOIN events h ON w.target = h.target AND w.lane = h.lane
WHERE h.number = ? AND h.status = 'held' AND w.lane IS NOT NULL
  AND w.status IN ('waiting', 'short');

-- name: rungs
SELECT text FROM outcomes WHERE number = ? AND echo = 0 ORDER BY cursor;

-- name: sites
SELECT site FROM sites ORDER BY site;

-- name: open_counts
SELECT site, status IN ('held', 'aside') AS held, count(*) AS n, sum(blocked) AS blocked,
  min(occurred) AS oldest
FROM events WHERE status IN ('waiting', 'short', 'held', 'aside') GROUP BY 1, 2;

-- name: counters
SELECT site, name, value FROM counters WHERE value <> 0;

-- name: agents
SELECT site, heartbeat, heard FROM agents ORDER BY site, agent;

-- Hosts ----------------------------------------------------------------------------------------

-- name: agent_boot
SELECT boot FROM agents WHERE site = ? AND agent = ?;

-- name: superseded
SELECT said, at FROM superseded WHERE site = ? AND agent = ? AND boot = ?;

-- name: supersede
INSERT INTO superseded (site, agent, boot, said, at) VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING;

-- name: note_agent
INSERT INTO agents (site, agent, boot, heard, heartbeat) VALUES (?, ?, ?, ?, ?)
ON CONFLICT (site, agent) DO UPDATE
SET boot = excluded.boot, heard = excluded.heard, heartbeat = excluded.heartbeat;

-- Retention ------------------------------------------------------------------------------------

-- name: oldest_events
SELECT number, status, received FROM events ORDER BY number;

-- name: oldest_readings
SELECT number FROM events WHERE status = 'trace' AND received < ? ORDER BY received LIMIT ?;

-- name: drop_event
DELETE FROM events WHERE number = ?;

-- name: drop_copies
DELETE FROM copies WHERE number = ?;

-- name: drop_outcomes
DELETE FROM outcomes WHERE number = ?;

-- name: drop_outcomes_of_conflicts
DELETE FROM outcomes WHERE number IS NULL AND at < ?;

-- name: drop_conflicts
DELETE FROM conflicts WHERE received < ?;

-- name: drop_superseded
DELETE FROM superseded WHERE at < ?;
