-- The engine's tables, for the MySQL family. Identifiers are VARBINARY: they compare byte by byte.
-- Times are UTC with microseconds and are written by the engine, never by the database.

CREATE TABLE engine_machines (
  name        VARBINARY(64)  NOT NULL COMMENT 'machine',
  hash        VARBINARY(64)  NOT NULL COMMENT 'machine version: hash of the description',
  description MEDIUMTEXT     NOT NULL COMMENT 'states, events and edges as JSON',
  first_seen  DATETIME(6)    NOT NULL COMMENT 'when an engine first ran this version',
  PRIMARY KEY (name, hash)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin COMMENT='every definition that ever ran, so that old history stays checkable';

CREATE TABLE engine_transitions (
  machine         VARBINARY(64)  NOT NULL COMMENT 'machine',
  subject         VARBINARY(128) NOT NULL COMMENT 'key of the row that moved; BIGINT keys in decimal',
  version         BIGINT         NOT NULL COMMENT 'version the subject got; 1 is creation or adoption',
  event           VARBINARY(64)  NOT NULL COMMENT 'event',
  from_status     VARBINARY(64)  NOT NULL COMMENT 'state before; empty on the first transition',
  to_status       VARBINARY(64)  NOT NULL COMMENT 'state after',
  source          VARBINARY(128) NOT NULL COMMENT 'who asked; call where the caller gave no key',
  seq             VARBINARY(255) NOT NULL COMMENT 'the asker''s own number for the request',
  fingerprint     BINARY(32)     NOT NULL COMMENT 'SHA-256 of machine, subject, event and canonical input, and of a creation the columns given',
  nonce           BIGINT         NOT NULL COMMENT 'drawn per try: tells a settled commit from a twin''s',
  actor           VARCHAR(190)   NOT NULL COMMENT 'who is shown as having done it',
  reason          VARCHAR(1000)  NOT NULL COMMENT 'why, in the words of the actor',
  input           MEDIUMTEXT              COMMENT 'canonical input as JSON; null where the event takes none',
  messages        INT            NOT NULL COMMENT 'how many messages it emitted',
  timers          TEXT                    COMMENT 'timers it armed and stopped, in their order, as JSON; null where none',
  machine_version VARBINARY(64)  NOT NULL COMMENT 'engine_machines.hash that decided it',
  at              DATETIME(6)    NOT NULL COMMENT 'when it was decided',
  found_hash      BINARY(16)              COMMENT 'hash of the subject''s row as it was found, of a creation of what the row says once filled in; else null on the first, and where the machine is not exclusive',
  row_hash        BINARY(16)              COMMENT 'hash of the subject''s row as it was left; null where the machine is not exclusive',
  hash            BINARY(16)              COMMENT 'hash of all other columns; null only on rows of programs of version 1',
  PRIMARY KEY (machine, subject, version),
  UNIQUE KEY request (source, seq)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin COMMENT='history: append-only, one row per applied transition';

CREATE TABLE engine_attempts (
  id            BINARY(16)     NOT NULL COMMENT 'hash of what was asked, by whom, and the verdict: equal attempts share a row',
  machine       VARBINARY(64)  NOT NULL COMMENT 'machine',
  subject       VARBINARY(128) NOT NULL COMMENT 'key of the row that was asked to move; empty where many that found none are counted',
  event         VARBINARY(64)  NOT NULL COMMENT 'event',
  source        VARBINARY(128) NOT NULL COMMENT 'who asked; call where the caller gave no key',
  seq           VARBINARY(255) NOT NULL COMMENT 'the asker''s number; empty where the caller gave no key',
  fingerprint   BINARY(32)     NOT NULL COMMENT 'as in engine_transitions',
  actor         VARCHAR(190)   NOT NULL COMMENT 'who is shown as having tried',
  reason        VARCHAR(1000)  NOT NULL COMMENT 'why, in the words of the actor',
  outcome       VARBINARY(16)  NOT NULL COMMENT 'verdict',
  detail        VARBINARY(32)  NOT NULL COMMENT 'kind of the verdict',
  status        VARBINARY(64)  NOT NULL COMMENT 'state of the subject then; empty where there was none',
  version       BIGINT         NOT NULL COMMENT 'version of the subject then',
  proof_version BIGINT         NOT NULL COMMENT 'version of the proving transition; 0 where there is none',
  refused       TEXT                    COMMENT 'guards that said no, as JSON',
  times         BIGINT         NOT NULL COMMENT 'how often; repeats are counted each second and may be lost in a crash',
  first_at      DATETIME(6)    NOT NULL COMMENT 'when first',
  last_at       DATETIME(6)    NOT NULL COMMENT 'when last',
  hash          BINARY(16)              COMMENT 'hash of all other columns but times and last_at; null only on rows of programs of version 1',
  PRIMARY KEY (id),
  KEY subject (machine, subject, first_at),
  KEY asker (machine, status, source, actor),
  KEY age (last_at)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin COMMENT='journal of requests that moved nothing: refusals and repeats';

CREATE TABLE engine_messages (
  machine    VARBINARY(64)  NOT NULL COMMENT 'machine of the transition that caused it',
  subject    VARBINARY(128) NOT NULL COMMENT 'subject of that transition',
  version    BIGINT         NOT NULL COMMENT 'version of that transition',
  ordinal    INT            NOT NULL COMMENT 'place among the transition''s messages, from 1',
  type       VARBINARY(128) NOT NULL COMMENT 'such as order.paid',
  data       MEDIUMTEXT     NOT NULL COMMENT 'body as JSON',
  status     VARBINARY(16)  NOT NULL DEFAULT 'pending' COMMENT 'pending, retrying, sent or parked',
  tries      INT            NOT NULL DEFAULT 0 COMMENT 'how often it was tried since the last replay',
  replays    INT            NOT NULL DEFAULT 0 COMMENT 'how often it was asked to be sent once more',
  next_at    DATETIME(6)    NOT NULL COMMENT 'place in the queue; of a retry: not to be tried before; else when it was sent or parked',
  sent_at    DATETIME(6)             COMMENT 'when every sink had it',
  problem    VARCHAR(1000)  NOT NULL DEFAULT '' COMMENT 'why the last try failed',
  taken      VARBINARY(255) NOT NULL DEFAULT '' COMMENT 'sinks that have it already while others do not',
  unasked    VARBINARY(255) NOT NULL DEFAULT '' COMMENT 'of a message that waits: sinks that rested and have not had its first try',
  created_at DATETIME(6)    NOT NULL COMMENT 'time of the transition',
  hash       BINARY(16)              COMMENT 'hash of what never changes: its place, type, data and created_at; null only on rows of programs of version 1',
  PRIMARY KEY (machine, subject, version, ordinal),
  KEY queue (status, next_at)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin COMMENT='outbox: what leaves the process because a transition committed';

CREATE TABLE engine_timers (
  machine  VARBINARY(64)  NOT NULL COMMENT 'machine',
  subject  VARBINARY(128) NOT NULL COMMENT 'subject the timer is tied to',
  entered  BIGINT         NOT NULL COMMENT 'version of the entry into the state whose visit the timer belongs to',
  name     VARBINARY(64)  NOT NULL COMMENT 'name, once per visit',
  event    VARBINARY(64)  NOT NULL COMMENT 'event it fires',
  due_at   DATETIME(6)    NOT NULL COMMENT 'when it fires',
  status   VARBINARY(16)  NOT NULL COMMENT 'armed, fired, stopped or parked',
  arming   BIGINT         NOT NULL COMMENT 'version of the transition that armed it, which makes the key of its event',
  next_at  DATETIME(6)    NOT NULL COMMENT 'not to be tried before; when it ended or was parked, once it is not armed',
  tries    INT            NOT NULL COMMENT 'how often its event was asked for in vain',
  problem  VARCHAR(1000)  NOT NULL COMMENT 'why the last time',
  armed_at DATETIME(6)    NOT NULL COMMENT 'time of the transition that armed it',
  PRIMARY KEY (machine, subject, entered, name),
  KEY due (status, next_at)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin COMMENT='durable timers, written with the transition that arms them';

CREATE TABLE engine_leases (
  name     VARBINARY(128) NOT NULL COMMENT 'what is done by one process at a time',
  owner    VARBINARY(64)  NOT NULL COMMENT 'who does it; empty for nobody',
  fence    BIGINT         NOT NULL COMMENT 'grows with each lease; writes of a late holder are refused by it',
  until_at BIGINT         NOT NULL COMMENT 'end of the lease, microseconds of Unix time by the clock of the database',
  PRIMARY KEY (name)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin COMMENT='who does what in the background';

CREATE TABLE engine_watermarks (
  name VARBINARY(64) NOT NULL COMMENT 'table that rows were removed from; or unhashed and a kind of rows',
  at   DATETIME(6)   NOT NULL COMMENT 'rows of transitions before this may be gone; rows up to this may lack a hash',
  gone BIGINT        NOT NULL DEFAULT 0 COMMENT 'how many rows were removed, or may lack a hash',
  PRIMARY KEY (name)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin COMMENT='how far retention has come';

CREATE TABLE engine_tokens (
  hash       BINARY(32)     NOT NULL COMMENT 'SHA-256 of the token, which is kept nowhere',
  holder     VARBINARY(160) NOT NULL COMMENT 'who may spend it',
  scope      VARBINARY(64)  NOT NULL COMMENT 'what it may be spent for',
  expires_at DATETIME(6)    NOT NULL COMMENT 'not to be spent from then on',
  PRIMARY KEY (hash),
  KEY age (expires_at)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin COMMENT='submit tokens that are not spent: spending deletes';

CREATE TABLE engine_inbox (
  consumer VARBINARY(64)  NOT NULL COMMENT 'who has worked on it',
  message  VARBINARY(512) NOT NULL COMMENT 'id of the message',
  nonce    BIGINT         NOT NULL COMMENT 'drawn per call: tells a settled commit from a twin''s',
  at       DATETIME(6)    NOT NULL COMMENT 'when',
  PRIMARY KEY (consumer, message),
  KEY age (at)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin COMMENT='messages whose work is done, written in the transaction of that work';

CREATE TABLE engine_jobs (
  name       VARBINARY(64) NOT NULL COMMENT 'quiet job',
  period     DATETIME(6)   NOT NULL COMMENT 'start of the period that it is done for',
  nonce      BIGINT        NOT NULL COMMENT 'drawn per run: tells a run from one that took over',
  claimed_at DATETIME(6)   NOT NULL COMMENT 'when the run began',
  done_at    DATETIME(6)            COMMENT 'when it ended well; null while it runs, or after a crash',
  PRIMARY KEY (name, period)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin COMMENT='jobs done once in each period';
