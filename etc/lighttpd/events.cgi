#!/bin/sh
exec /usr/sbin/zcast-fcgi --config /etc/zcast/zcast.conf
