-- Each channel has a queue of its own.

ALTER TABLE notifications DROP KEY queue, ADD KEY queue (status, channel, next_at);
