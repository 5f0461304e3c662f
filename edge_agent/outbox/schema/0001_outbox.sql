-- Version 1. Key orders are chosen so that an append touches the same number of pages whether a
-- thousand or a million rows are stored: every tree grows at few places, never at random ones.

CREATE TABLE state (
    name  TEXT PRIMARY KEY,
    value NOT NULL
) WITHOUT ROWID;

CREATE TABLE counter (
    name  TEXT PRIMARY KEY,
    value INTEGER NOT NULL
) WITHOUT ROWID;

CREATE TABLE device (
    number INTEGER PRIMARY KEY,
    name   TEXT NOT NULL UNIQUE
);

CREATE TABLE event (
    position INTEGER PRIMARY KEY,   -- gapless, never used again
    device   INTEGER NOT NULL,
    lane     TEXT,                  -- the document, cut: its events keep their order
    stage    INTEGER NOT NULL,      -- edge_agent.outbox.record.STAGES
    id       BLOB NOT NULL,
    recorded INTEGER NOT NULL,      -- microseconds since 1970
    body     BLOB NOT NULL,         -- JSON
    digest   BLOB NOT NULL          -- SHA-256 over all of the row but stage and lane
);
CREATE INDEX pending_of_device ON event (device, position, lane) WHERE stage = 0;
CREATE INDEX pending_of_lane ON event (lane, position) WHERE stage = 0 AND lane IS NOT NULL;

-- Which (device, id) have been here. Ids may be random, so a plain unique index would dirty a page
-- of its own for every row. The tree is cut into runs of 8,192 positions instead, each written
-- sorted when it is full; a filter in memory spares nearly every new id the search through the runs.
CREATE TABLE seen (
    run      INTEGER NOT NULL,
    key      INTEGER NOT NULL,      -- salted hash of device and id
    position INTEGER NOT NULL,
    content  BLOB,                  -- digest of what the device said, once the row is deleted
    PRIMARY KEY (run, key, position)
) WITHOUT ROWID;

CREATE TABLE outcome (
    position INTEGER PRIMARY KEY,
    final    INTEGER NOT NULL,
    noted    TEXT NOT NULL,
    body     TEXT NOT NULL
);
CREATE INDEX final_outcome ON outcome (noted) WHERE final = 1;

CREATE TABLE quarantine (
    number   INTEGER PRIMARY KEY AUTOINCREMENT,
    device   TEXT NOT NULL,
    origin   TEXT NOT NULL,
    payload  BLOB NOT NULL,
    size     INTEGER NOT NULL,
    code     TEXT NOT NULL,
    message  TEXT NOT NULL,
    recorded TEXT NOT NULL
);
CREATE INDEX quarantine_of_device ON quarantine (device, number);
