-- No program of version 1 runs any more. The rows that it has written without a hash are counted, up to the latest of
-- them; from here on any other without one is damage. Messages go with their transitions. The rows that its retention
-- has removed were not counted: they are now, behind the lock that retention takes.

INSERT INTO engine_watermarks (name, at, gone)
  SELECT 'unhashed transitions', MAX(at), COUNT(*) FROM engine_transitions WHERE hash IS NULL HAVING COUNT(*) > 0;

INSERT INTO engine_watermarks (name, at, gone)
  SELECT 'unhashed attempts', MAX(first_at), COUNT(*) FROM engine_attempts WHERE hash IS NULL HAVING COUNT(*) > 0;

UPDATE engine_watermarks SET gone = gone WHERE name = 'engine_messages';

UPDATE engine_watermarks SET gone =
  (SELECT COALESCE(SUM(t.messages), 0) FROM engine_transitions t) - (SELECT COUNT(*) FROM engine_messages m)
  WHERE name = 'engine_messages';
