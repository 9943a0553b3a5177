-- The tables of outgoing webhooks, for the MySQL family. Times are UTC with microseconds.

CREATE TABLE webhook_endpoints (
  id           VARBINARY(64)  NOT NULL COMMENT 'whe_ and 26 characters',
  url          VARCHAR(2048)  NOT NULL COMMENT 'where deliveries are posted to',
  events       TEXT           NOT NULL COMMENT 'patterns of message types as a JSON list, such as order.*',
  description  VARCHAR(255)   NOT NULL COMMENT 'what it is, in the words of its owner',
  status       VARBINARY(16)  NOT NULL COMMENT 'enabled or disabled',
  problem      VARCHAR(1000)  NOT NULL COMMENT 'why it was disabled, where the system did it',
  secret       VARBINARY(128) NOT NULL COMMENT 'signs deliveries; whsec_ and base64',
  old_secret   VARBINARY(128) NOT NULL COMMENT 'signs them too while it is replaced; empty else',
  old_until    DATETIME(6)             COMMENT 'how long it does',
  failing_from DATETIME(6)             COMMENT 'since when every delivery has failed; null after a success',
  created_at   DATETIME(6)    NOT NULL COMMENT 'when it was created',
  updated_at   DATETIME(6)    NOT NULL COMMENT 'when it was last changed',
  PRIMARY KEY (id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin COMMENT='who wants to hear of messages';

CREATE TABLE webhook_deliveries (
  id          VARBINARY(64)   NOT NULL COMMENT 'whd_ and a hash of endpoint, message and round: handed over twice, it is one delivery',
  endpoint    VARBINARY(64)   NOT NULL COMMENT 'webhook_endpoints.id',
  message     VARBINARY(512)  NOT NULL COMMENT 'id of the message, the same in all its deliveries',
  round       INT             NOT NULL COMMENT 'grows when a message is replayed',
  machine     VARBINARY(64)   NOT NULL COMMENT 'where the message is',
  subject     VARBINARY(128)  NOT NULL COMMENT 'where the message is',
  version     BIGINT          NOT NULL COMMENT 'where the message is',
  ordinal     INT             NOT NULL COMMENT 'where the message is',
  type        VARBINARY(128)  NOT NULL COMMENT 'such as order.paid',
  status      VARBINARY(16)   NOT NULL COMMENT 'pending, retrying, delivered, failed or cancelled',
  tries       INT             NOT NULL COMMENT 'how often it was posted since it was last asked for',
  next_at     DATETIME(6)     NOT NULL COMMENT 'place in the queue; of a retry: not to be posted before; when it ended, once it has',
  problem     VARCHAR(1000)   NOT NULL COMMENT 'why the last post failed',
  created_at  DATETIME(6)     NOT NULL COMMENT 'when the message was handed over',
  PRIMARY KEY (id),
  KEY due (endpoint, status, next_at),
  KEY place (next_at, id),
  KEY subject (machine, subject, version)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin COMMENT='one message for one endpoint';

CREATE TABLE webhook_attempts (
  delivery VARBINARY(64)  NOT NULL COMMENT 'webhook_deliveries.id',
  number   INT            NOT NULL COMMENT 'which post of the delivery, from 1',
  at       DATETIME(6)    NOT NULL COMMENT 'when it was posted',
  took_ms  BIGINT         NOT NULL COMMENT 'how long the answer took',
  code     INT            NOT NULL COMMENT 'HTTP status; 0 without an answer',
  answer   VARCHAR(1024)  NOT NULL COMMENT 'beginning of the answer',
  problem  VARCHAR(1000)  NOT NULL COMMENT 'why it counts as failed; empty if it does not',
  PRIMARY KEY (delivery, number)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin COMMENT='posts of deliveries';
