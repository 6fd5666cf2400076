"""Configurations that the end-to-end tests run."""

from tests.peers import programs

HEAD = f"""\
spool_directory = @DIR@/spool
log_file_path = @DIR@/log/%slog
primary_hostname = e2e.example
exim_user = {programs.exim_user()}
tls_advertise_hosts =
keep_environment =
smtp_accept_max = 100
smtp_accept_queue_per_connection = 0
smtp_connect_backlog = 128
domainlist local_domains = e2e.example
"""

# everything for sink.example goes to the next hop on SINKPORT, e2e.example to mailboxes
RELAY = (
    HEAD
    + """\
acl_smtp_rcpt = acl_rcpt
begin acl
acl_rcpt:
  accept hosts = 127.0.0.1
begin routers
sink:
  driver = manualroute
  domains = !+local_domains
  route_list = * 127.0.0.1 byname
  self = send
  transport = smtp
  no_more
refuse:
  driver = redirect
  local_parts = nobody
  allow_fail
  data = :fail: no such person
robot:
  driver = accept
  local_parts = robot
  transport = answer
people:
  driver = accept
  local_parts = ann : bob : sender
  transport = maildir
  cannot_route_message = Unknown user
begin transports
smtp:
  driver = smtp
  port = SINKPORT
  allow_localhost
answer:
  driver = autoreply
  to = $sender_address
  from = robot@e2e.example
  subject = I am a robot
  text = You said: $h_subject:
  user = nobody
maildir:
  driver = appendfile
  maildir_format
  directory = @DIR@/mail/$local_part_data
  create_directory
begin retry
* * F,1h,1s
"""
)
