"""Delivery over SMTP and LMTP: host lists, connections and their pool, the conversation, and what errors mean."""
