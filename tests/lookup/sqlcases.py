"""The data behind pgsql_cases.txt, mysql_cases.txt and ldap_cases.txt."""

TABLE = "create table users (id {key}, name text, home text, n integer, f double precision, b text, d date);"
ROWS = """\
insert into users values ('userx', 'Mister X', '/home/userx', 1, 1.5, 'xy', '2020-01-02'),
 ('u2', '', '/h', null, 0.1, 'q"q', '2020-01-03'), ('u3', null, 'a''b', -3, 0.25, 'a-b', '2020-01-03'),
 ('é', 'a\nb', 'tab\there', 7, 2, 'c', '2020-01-04');
"""
PG_SETUP = f"drop table if exists users, t2; {TABLE.format(key='text')}{ROWS}"
MY_SETUP = f"use mail; drop table if exists users, t2; {TABLE.format(key='varchar(20)')}{ROWS}"

SCHEMA = """\
attributetype ( 1.3.6.1.4.1.99999.1 NAME 'attr' EQUALITY caseExactMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.15 )
attributetype ( 1.3.6.1.4.1.99999.2 NAME 'attr1' SUP attr )
attributetype ( 1.3.6.1.4.1.99999.3 NAME 'attr2' SUP attr )
objectclass ( 1.3.6.1.4.1.99999.4 NAME 'thing' SUP top AUXILIARY MAY ( attr1 $ attr2 ) )
"""
LDIF = """\
dn: o=base
objectClass: organization
o: base

dn: uid=fred,o=base
objectClass: top
objectClass: account
objectClass: thing
uid: fred
attr1: value1.1
attr1: value1,2
attr2: value two

dn: uid=jim,o=base
objectClass: account
objectClass: thing
uid: jim
attr1: a"b\\c
attr2:: YQpi

dn: cn=A B,o=base
objectClass: person
cn: A B
sn: Bee*(x)
userPassword: pw1
description: d1
description: d,2

dn: cn=A C,o=base
objectClass: person
cn: A C
sn: Cee
userPassword: pw 2

dn: cn=x\\,y,o=base
objectClass: person
cn: x,y
sn: comma
"""
