-- The daemon's own tables, for the MySQL family. Identifiers are VARBINARY: they compare byte by byte.
-- Times are UTC with microseconds and are written by the daemon, never by the database.

CREATE TABLE orderd_keys (
  id          VARBINARY(32)  NOT NULL COMMENT 'public part of the key: ork_<id>_<secret>',
  principal   VARBINARY(64)  NOT NULL COMMENT 'whom it speaks for; stays the same when the key is replaced',
  name        VARCHAR(190)   NOT NULL COMMENT 'what a person calls it',
  roles       VARBINARY(128) NOT NULL COMMENT 'roles, separated by commas',
  secret_hash BINARY(32)     NOT NULL COMMENT 'SHA-256 of the secret part, which is random and kept nowhere',
  created_at  DATETIME(6)    NOT NULL COMMENT 'when it was made',
  expires_at  DATETIME(6)             COMMENT 'not valid from then on; null for never',
  revoked_at  DATETIME(6)             COMMENT 'not valid from then on; null while it is good',
  PRIMARY KEY (id),
  KEY principal (principal)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin COMMENT='keys of the HTTP API';
