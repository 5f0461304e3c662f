-- Each opening leaves a gap in the cursors, up to the time of day. A cursor from within a gap was given
-- out by a file that this one is an older copy of.
CREATE TABLE openings (
  before INTEGER NOT NULL,
  through INTEGER PRIMARY KEY
);

-- What is pruned first is found without looking at all that is kept longer.
CREATE INDEX events_trace ON events (received) WHERE status = 'trace';
