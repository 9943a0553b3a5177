-- The shop's tables, for the MySQL family. Amounts are in minor units of their currency (cents), at
-- most 2^53-1. Identifiers are VARBINARY: they compare byte by byte. Times are UTC with microseconds
-- and are written by the engine, never by the database.

CREATE TABLE orders (
  id              VARBINARY(64)  NOT NULL COMMENT 'ord_ and 26 characters',
  status          VARBINARY(64)  NOT NULL COMMENT 'state of the machine order',
  version         BIGINT         NOT NULL COMMENT 'number of transitions, the first included',
  amount          BIGINT         NOT NULL COMMENT 'total of the items; never changes',
  currency        VARBINARY(3)   NOT NULL COMMENT 'ISO 4217 code of all amounts of the order',
  paid_amount     BIGINT         NOT NULL COMMENT 'money taken for this order; never more than amount',
  refunded_amount BIGINT         NOT NULL COMMENT 'money given back; never more than paid_amount',
  customer_ref    VARBINARY(760) NOT NULL COMMENT 'the customer, in the words of the checkout; may be empty',
  metadata        MEDIUMTEXT     NOT NULL COMMENT 'names and values of the checkout as a JSON object',
  created_at      DATETIME(6)    NOT NULL COMMENT 'when it was placed',
  updated_at      DATETIME(6)    NOT NULL COMMENT 'when it last moved',
  expires_at      DATETIME(6)    NOT NULL COMMENT 'when it expires unless it is paid',
  PRIMARY KEY (id),
  KEY age (created_at, id),
  KEY status_age (status, created_at, id),
  KEY customer_age (customer_ref, created_at, id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin COMMENT='orders';

CREATE TABLE order_items (
  order_id   VARBINARY(64)  NOT NULL COMMENT 'orders.id',
  line       INT            NOT NULL COMMENT 'place in the order, from 1',
  sku        VARBINARY(512) NOT NULL COMMENT 'the article, in the words of the checkout',
  name       VARCHAR(255)   NOT NULL COMMENT 'what the customer reads',
  quantity   INT            NOT NULL COMMENT 'pieces, at least 1',
  unit_price BIGINT         NOT NULL COMMENT 'price of one piece; may be 0',
  PRIMARY KEY (order_id, line)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin COMMENT='lines of orders; written with the order, never changed';

CREATE TABLE payments (
  id             VARBINARY(64)  NOT NULL COMMENT 'pay_ and 26 characters',
  status         VARBINARY(64)  NOT NULL COMMENT 'state of the machine payment',
  version        BIGINT         NOT NULL COMMENT 'number of transitions, the first included',
  order_id       VARBINARY(64)  NOT NULL COMMENT 'orders.id',
  provider       VARBINARY(64)  NOT NULL COMMENT 'who takes the money; manual for an operator',
  reference      VARBINARY(64)  NOT NULL COMMENT 'what the provider is told; cannot be guessed',
  amount         BIGINT         NOT NULL COMMENT 'what this attempt is for; never changes',
  currency       VARBINARY(3)   NOT NULL COMMENT 'ISO 4217 code; never changes',
  transaction_id VARBINARY(190) NOT NULL COMMENT 'the provider''s number of the capture; empty before it',
  created_at     DATETIME(6)    NOT NULL COMMENT 'when it was started',
  updated_at     DATETIME(6)    NOT NULL COMMENT 'when it last moved',
  PRIMARY KEY (id),
  UNIQUE KEY reference (reference),
  KEY order_age (order_id, created_at, id),
  KEY status_age (status, created_at, id),
  KEY age (created_at, id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin COMMENT='attempts to pay an order';

CREATE TABLE payment_facts (
  id             VARBINARY(64)  NOT NULL COMMENT 'fact_ and 26 characters',
  status         VARBINARY(64)  NOT NULL COMMENT 'state of the machine payment_fact',
  version        BIGINT         NOT NULL COMMENT 'number of transitions, the first included',
  provider       VARBINARY(64)  NOT NULL COMMENT 'who said so; shop for what an ended order leaves',
  kind           VARBINARY(64)  NOT NULL COMMENT 'payment.captured, payment.failed, refund.succeeded, order.cancelled or order.expired',
  transaction_id VARBINARY(190) NOT NULL COMMENT 'the provider''s own number; with provider and kind it names the fact',
  reference      VARBINARY(190) NOT NULL COMMENT 'payments.reference, as the provider repeats it',
  amount         BIGINT         NOT NULL COMMENT 'as the provider says',
  currency       VARBINARY(3)   NOT NULL COMMENT 'as the provider says',
  payment_id     VARBINARY(64)  NOT NULL COMMENT 'payments.id the reference belongs to; empty if unknown or undecided',
  order_id       VARBINARY(64)  NOT NULL COMMENT 'orders.id of that payment; empty if unknown or undecided',
  applied_amount BIGINT         NOT NULL COMMENT 'how much of it an order was credited with',
  desk_amount    BIGINT         NOT NULL COMMENT 'how much of it waits for a person',
  desk_reason    VARBINARY(64)  NOT NULL COMMENT 'why: late, short, over, currency, second, mismatch, unknown_reference, refund or held; empty off the desk',
  created_at     DATETIME(6)    NOT NULL COMMENT 'when it was received',
  updated_at     DATETIME(6)    NOT NULL COMMENT 'when it was decided',
  PRIMARY KEY (id),
  KEY status_age (status, created_at, id),
  KEY order_age (order_id, created_at, id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin COMMENT='what providers said about money, verified; kept for ever';
