-- Notifications, for the MySQL family. Times are UTC with microseconds.

CREATE TABLE notifications (
  id         VARBINARY(64)  NOT NULL COMMENT 'ntf_ and 26 characters',
  status     VARBINARY(64)  NOT NULL COMMENT 'state of the machine notification',
  version    BIGINT         NOT NULL COMMENT 'number of transitions, the first included',
  message    VARBINARY(512) NOT NULL COMMENT 'id of the message that caused it',
  type       VARBINARY(128) NOT NULL COMMENT 'such as order.paid',
  order_id   VARBINARY(64)  NOT NULL COMMENT 'orders.id',
  channel    VARBINARY(32)  NOT NULL COMMENT 'such as email',
  recipient  VARCHAR(320)   NOT NULL COMMENT 'whom it is for, as the channel names people',
  title      VARCHAR(255)   NOT NULL COMMENT 'one line',
  text       TEXT           NOT NULL COMMENT 'what it says',
  tries      INT            NOT NULL COMMENT 'how often a sender was called for it',
  next_at    DATETIME(6)    NOT NULL COMMENT 'not to be sent before',
  problem    VARCHAR(1000)  NOT NULL COMMENT 'what the sender said last',
  created_at DATETIME(6)    NOT NULL COMMENT 'when it was queued',
  updated_at DATETIME(6)    NOT NULL COMMENT 'when it last moved',
  PRIMARY KEY (id),
  KEY queue (status, next_at),
  KEY order_age (order_id, created_at)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin COMMENT='what people are told: one per event and channel';
