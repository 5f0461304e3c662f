-- Times are microseconds since 1970 in UTC, ids and digests are bytes. What grows with history has
-- only indexes that grow at their end; what is asked for all the time has partial ones, which hold
-- open rows only, so that nothing gets slower with the years.

CREATE TABLE sites (
  site TEXT PRIMARY KEY,
  target TEXT NOT NULL
) WITHOUT ROWID;

CREATE TABLE devices (
  device TEXT PRIMARY KEY,
  target TEXT NOT NULL
) WITHOUT ROWID;

CREATE TABLE agents (
  site TEXT NOT NULL,
  agent TEXT NOT NULL,
  boot BLOB NOT NULL,
  heard INTEGER NOT NULL,
  heartbeat TEXT NOT NULL,
  PRIMARY KEY (site, agent)
) WITHOUT ROWID;

-- Boots that another one took the place of. One that speaks again is a second live host.
CREATE TABLE superseded (
  site TEXT NOT NULL,
  agent TEXT NOT NULL,
  boot BLOB NOT NULL,
  said INTEGER NOT NULL,
  at INTEGER NOT NULL,
  PRIMARY KEY (site, agent, boot)
) WITHOUT ROWID;

CREATE TABLE generations (
  id INTEGER PRIMARY KEY,
  site TEXT NOT NULL,
  agent TEXT NOT NULL,
  generation BLOB NOT NULL,
  UNIQUE (site, agent, generation)
);

-- Which positions of a generation are stored, as closed ranges with gaps between.
CREATE TABLE ranges (
  generation_id INTEGER NOT NULL REFERENCES generations,
  first INTEGER NOT NULL,
  last INTEGER NOT NULL,
  PRIMARY KEY (generation_id, first)
) WITHOUT ROWID;

CREATE TABLE events (
  number INTEGER PRIMARY KEY AUTOINCREMENT,
  event BLOB NOT NULL,
  device TEXT NOT NULL,
  digest BLOB NOT NULL,
  site TEXT NOT NULL,
  target TEXT NOT NULL,
  kind TEXT NOT NULL,
  lane TEXT,
  -- The order in the lane: the own number, or for a take-back that came before the event it takes
  -- back, that event's number, and behind it.
  place INTEGER NOT NULL,
  behind INTEGER NOT NULL DEFAULT 0,
  moment INTEGER NOT NULL,
  generation_id INTEGER NOT NULL REFERENCES generations,
  position INTEGER NOT NULL,
  occurred INTEGER NOT NULL,
  received INTEGER NOT NULL,
  status TEXT NOT NULL,
  -- A held entry of the same lane keeps this one back.
  blocked INTEGER NOT NULL DEFAULT 0,
  -- Came through a site of a target that is not its device's: held outside every lane.
  stray INTEGER NOT NULL DEFAULT 0,
  -- The event that this one takes back, while that is unknown.
  awaits BLOB,
  attempts INTEGER NOT NULL DEFAULT 0,
  next_attempt INTEGER,
  code TEXT NOT NULL DEFAULT '',
  message TEXT NOT NULL DEFAULT '',
  record TEXT,
  applied INTEGER,
  text TEXT NOT NULL
);

-- The event first: ids of version 7 grow with time, so that new ones meet in few pages.
CREATE UNIQUE INDEX events_key ON events (event, device) WHERE stray = 0;
CREATE UNIQUE INDEX events_stray ON events (event, device, target) WHERE stray = 1;
CREATE UNIQUE INDEX events_position ON events (generation_id, position);
CREATE INDEX events_ready ON events (target, place, behind)
  WHERE status IN ('waiting', 'short') AND blocked = 0;
CREATE INDEX events_deferred ON events (target, next_attempt)
  WHERE status IN ('waiting', 'short') AND blocked = 0 AND next_attempt IS NOT NULL;
CREATE INDEX events_lane ON events (target, lane)
  WHERE lane IS NOT NULL AND status IN ('waiting', 'short');
CREATE INDEX events_holding ON events (target, lane) WHERE status = 'held' AND lane IS NOT NULL;
CREATE INDEX events_open ON events (site, status, blocked, occurred)
  WHERE status IN ('waiting', 'short', 'held', 'aside');
CREATE INDEX events_awaiting ON events (awaits, device) WHERE awaits IS NOT NULL;
CREATE INDEX events_applied ON events (target, applied) WHERE status = 'applied';

-- Further positions at which an event arrived: other agents, or an outbox that began anew.
CREATE TABLE copies (
  generation_id INTEGER NOT NULL REFERENCES generations,
  position INTEGER NOT NULL,
  number INTEGER NOT NULL,
  PRIMARY KEY (generation_id, position)
) WITHOUT ROWID;
CREATE INDEX copies_number ON copies (number);

-- What arrived under an id that had other content: kept for the record, never applied.
CREATE TABLE conflicts (
  generation_id INTEGER NOT NULL REFERENCES generations,
  position INTEGER NOT NULL,
  event BLOB NOT NULL,
  device TEXT NOT NULL,
  received INTEGER NOT NULL,
  text TEXT NOT NULL,
  PRIMARY KEY (generation_id, position)
) WITHOUT ROWID;
CREATE INDEX conflicts_received ON conflicts (received);

-- The ladder of each event and, where a site is named, its downlink. A cursor is never used twice.
CREATE TABLE outcomes (
  cursor INTEGER PRIMARY KEY AUTOINCREMENT,
  number INTEGER,
  site TEXT,
  -- Told again, or to another site than the first: not a rung of its own.
  echo INTEGER NOT NULL,
  at INTEGER NOT NULL,
  text TEXT NOT NULL
);
CREATE INDEX outcomes_downlink ON outcomes (site, cursor) WHERE site IS NOT NULL;
CREATE INDEX outcomes_number ON outcomes (number) WHERE number IS NOT NULL;
CREATE INDEX outcomes_of_conflicts ON outcomes (at) WHERE number IS NULL;

CREATE TABLE alarms (
  id INTEGER PRIMARY KEY,
  key TEXT NOT NULL,
  site TEXT,
  message TEXT NOT NULL,
  raised INTEGER NOT NULL,
  cleared INTEGER
);
CREATE UNIQUE INDEX alarms_standing ON alarms (key) WHERE cleared IS NULL;

CREATE TABLE audit (
  id INTEGER PRIMARY KEY,
  at INTEGER NOT NULL,
  who TEXT NOT NULL,
  action TEXT NOT NULL,
  subject TEXT NOT NULL,
  reason TEXT NOT NULL
);

CREATE TABLE counters (
  site TEXT NOT NULL,
  name TEXT NOT NULL,
  value INTEGER NOT NULL,
  PRIMARY KEY (site, name)
) WITHOUT ROWID;

CREATE TABLE watermarks (
  target TEXT NOT NULL,
  name TEXT NOT NULL,
  value TEXT NOT NULL,
  PRIMARY KEY (target, name)
) WITHOUT ROWID;
