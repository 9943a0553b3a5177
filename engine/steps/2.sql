-- Timers and hashes in history. Rows that programs of version 1 write have none.

ALTER TABLE engine_transitions
  ADD COLUMN timers     TEXT       COMMENT 'timers it armed and stopped, in their order, as JSON; null where none' AFTER messages,
  ADD COLUMN found_hash BINARY(16) COMMENT 'hash of the subject''s row as it was found, of a creation of what the row says once filled in; else null on the first, and where the machine is not exclusive',
  ADD COLUMN row_hash   BINARY(16) COMMENT 'hash of the subject''s row as it was left; null where the machine is not exclusive',
  ADD COLUMN hash       BINARY(16) COMMENT 'hash of all other columns; null only on rows of programs of version 1';

ALTER TABLE engine_attempts
  ADD COLUMN hash BINARY(16) COMMENT 'hash of all other columns but times and last_at; null only on rows of programs of version 1',
  ADD KEY asker (machine, status, source, actor);

ALTER TABLE engine_messages
  ADD COLUMN unasked VARBINARY(255) NOT NULL DEFAULT '' COMMENT 'of a message that waits: sinks that rested and have not had its first try' AFTER taken,
  ADD COLUMN hash BINARY(16) COMMENT 'hash of what never changes: its place, type, data and created_at; null only on rows of programs of version 1';

ALTER TABLE engine_watermarks
  ADD COLUMN gone BIGINT NOT NULL DEFAULT 0 COMMENT 'how many rows were removed, or may lack a hash';
