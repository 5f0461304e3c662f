-- Every statement of the outbox, by name. Loaded by edge_agent.outbox.statements.

-- name: insert_event
INSERT INTO event (position, device, lane, stage, id, recorded, body, digest)
VALUES (?, ?, ?, 0, ?, ?, ?, ?)

-- name: insert_seen
INSERT INTO seen (run, key, position) VALUES (?, ?, ?) ON CONFLICT DO NOTHING

-- name: ids_from
SELECT event.position, device.name, event.id
FROM event JOIN device ON device.number = event.device
WHERE event.position >= ?

-- name: insert_device
INSERT INTO device (number, name) VALUES (?, ?)

-- name: all_devices
SELECT name, number FROM device

-- name: all_keys
SELECT key FROM seen

-- name: find_seen
-- One seek a run, newest first; whoever has what they want stops reading.
WITH RECURSIVE every (run) AS (
    SELECT :newest UNION ALL SELECT run - 1 FROM every WHERE run > :oldest
)
SELECT seen.position, seen.content
FROM every CROSS JOIN seen ON seen.run = every.run AND seen.key = :key

-- name: find_seen_in_run
SELECT position, content FROM seen WHERE run = ? AND key = ?

-- name: oldest_run
SELECT min(run) FROM seen

-- name: oldest_settled_run
SELECT run FROM seen WHERE content IS NOT NULL ORDER BY run LIMIT 1

-- name: read_event
SELECT event.position, device.name, event.id, event.recorded, event.body, event.digest, event.stage
FROM event JOIN device ON device.number = event.device
WHERE event.position = ?

-- name: next_events
SELECT event.position, device.name, event.id, event.recorded, event.body, event.digest,
    event.stage, outcome.body
FROM event
JOIN device ON device.number = event.device
LEFT JOIN outcome ON outcome.position = event.position
WHERE event.position > :after AND event.position <= :through
    AND (:stage IS NULL OR event.stage = :stage)
ORDER BY event.position LIMIT :limit

-- name: pending_devices
WITH RECURSIVE waiting (device) AS (
    SELECT min(device) FROM event WHERE stage = 0
    UNION ALL
    SELECT (SELECT min(device) FROM event WHERE stage = 0 AND device > waiting.device)
    FROM waiting WHERE waiting.device IS NOT NULL
)
SELECT device FROM waiting WHERE device IS NOT NULL

-- name: pending_of_device
SELECT position, lane FROM event INDEXED BY pending_of_device
WHERE device = ? AND stage = 0 AND position > ? ORDER BY position LIMIT ?

-- name: pending_of_lane
SELECT position FROM event INDEXED BY pending_of_lane
WHERE lane = ? AND stage = 0 AND position > ? ORDER BY position LIMIT ?

-- name: mark_relayed
UPDATE event SET stage = 1 WHERE position = ? AND stage = 0

-- name: mark_held_again
UPDATE event SET stage = 2 WHERE position = ? AND stage = 0
    AND EXISTS (SELECT 1 FROM outcome WHERE outcome.position = event.position AND final = 0)

-- name: set_stage
UPDATE event SET stage = ? WHERE position = ?

-- name: unrelay_range
UPDATE event SET stage = 0 WHERE position > ? AND position <= ? AND stage IN (1, 2)

-- name: range_stages
SELECT stage, count(*) FROM event
WHERE position > ? AND position <= ? AND stage IN (1, 2) GROUP BY stage

-- name: read_outcome
SELECT body FROM outcome WHERE position = ?

-- name: put_outcome
INSERT INTO outcome (position, final, noted, body) VALUES (?, ?, ?, ?)
ON CONFLICT (position) DO UPDATE SET final = excluded.final, noted = excluded.noted,
    body = excluded.body

-- name: expired
SELECT position FROM outcome INDEXED BY final_outcome WHERE final = 1 AND noted < ?
ORDER BY noted LIMIT ?

-- name: note_again
UPDATE outcome SET noted = ? WHERE position IN (
    SELECT position FROM outcome INDEXED BY final_outcome WHERE final = 1 AND noted > ? LIMIT ?
)

-- name: settle_seen
INSERT INTO seen (content, run, key, position) VALUES (?, ?, ?, ?)
ON CONFLICT DO UPDATE SET content = excluded.content

-- name: delete_event
DELETE FROM event WHERE position = ?

-- name: delete_outcome
DELETE FROM outcome WHERE position = ?

-- name: forget_run
DELETE FROM seen WHERE run = ? AND content IS NOT NULL

-- name: insert_quarantine
INSERT INTO quarantine (device, origin, payload, size, code, message, recorded)
VALUES (?, ?, ?, ?, ?, ?, ?)

-- name: quarantine_shares
SELECT device, count(*), sum(length(payload)) FROM quarantine GROUP BY device

-- name: oldest_quarantined
SELECT number, length(payload) FROM quarantine WHERE device = ? ORDER BY number LIMIT 1

-- name: delete_quarantined
DELETE FROM quarantine WHERE number = ?

-- name: next_quarantined
SELECT number, device, origin, payload, size, code, message, recorded FROM quarantine
WHERE number > ? ORDER BY number LIMIT ?

-- name: all_state
SELECT name, value FROM state

-- name: put_state
INSERT INTO state (name, value) VALUES (?, ?)
ON CONFLICT (name) DO UPDATE SET value = excluded.value

-- name: all_counters
SELECT name, value FROM counter

-- name: put_counter
INSERT INTO counter (name, value) VALUES (?, ?)
ON CONFLICT (name) DO UPDATE SET value = excluded.value

-- name: salvage_event
SELECT event.position, device.name, event.id, event.recorded, event.body, event.digest, event.stage,
    event.lane
FROM event JOIN device ON device.number = event.device
WHERE event.position = ?

-- name: salvage_outcome
SELECT position, final, noted, body FROM outcome WHERE position = ?

-- name: count_stages
SELECT stage, count(*) FROM event NOT INDEXED GROUP BY stage
