-- The ledger's tables, for the MySQL family. Amounts are in minor units of their currency (cents), or
-- points. Identifiers are VARBINARY: they compare byte by byte. Times are UTC with microseconds.

CREATE TABLE accounts (
  id         VARBINARY(64)  NOT NULL COMMENT 'acc_ and 26 characters',
  status     VARBINARY(64)  NOT NULL COMMENT 'state of the machine account',
  version    BIGINT         NOT NULL COMMENT 'number of transitions; entries are none',
  owner      VARBINARY(760) NOT NULL COMMENT 'whose it is, in the words of who opened it; system for the shop itself',
  kind       VARBINARY(16)  NOT NULL COMMENT 'money or points',
  currency   VARBINARY(3)   NOT NULL COMMENT 'ISO 4217 code; points may have another',
  overdraft  BOOLEAN        NOT NULL COMMENT 'whether the balance may be below zero',
  balance    BIGINT         NOT NULL COMMENT 'sum of its entries; every update guards it',
  entries    BIGINT         NOT NULL COMMENT 'number of its entries',
  created_at DATETIME(6)    NOT NULL COMMENT 'when it was opened',
  updated_at DATETIME(6)    NOT NULL COMMENT 'when its last entry was posted',
  PRIMARY KEY (id),
  UNIQUE KEY one (owner, kind, currency)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin COMMENT='one account for each owner, kind and currency';

CREATE TABLE transfers (
  id         VARBINARY(64)  NOT NULL COMMENT 'trf_ and 26 characters',
  status     VARBINARY(64)  NOT NULL COMMENT 'state of the machine transfer',
  version    BIGINT         NOT NULL COMMENT 'number of transitions, the first included',
  from_id    VARBINARY(64)  NOT NULL COMMENT 'accounts.id that gave',
  to_id      VARBINARY(64)  NOT NULL COMMENT 'accounts.id that got',
  amount     BIGINT         NOT NULL COMMENT 'how much; more than 0',
  currency   VARBINARY(3)   NOT NULL COMMENT 'that of both accounts',
  created_at DATETIME(6)    NOT NULL COMMENT 'when it was made',
  updated_at DATETIME(6)    NOT NULL COMMENT 'when it last moved',
  PRIMARY KEY (id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin COMMENT='from one account to another, with two entries each';

CREATE TABLE account_entries (
  account_id  VARBINARY(64) NOT NULL COMMENT 'accounts.id',
  transfer_id VARBINARY(64) NOT NULL COMMENT 'transfers.id that posted it; they sort by time',
  amount      BIGINT        NOT NULL COMMENT 'what the account got; below zero what it gave',
  at          DATETIME(6)   NOT NULL COMMENT 'when',
  PRIMARY KEY (account_id, transfer_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin COMMENT='double entry: those of a transfer sum to zero; written with it, never changed';
