#!/usr/bin/env python3
"""Prints what comes to a notification socket, as systemd has one, until it is told of the end."""
import os
import socket
import sys

listener = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
listener.bind(sys.argv[1])
os.chmod(sys.argv[1], 0o666)
listener.settimeout(120)
while True:
    text = listener.recv(4096).decode()
    print(text, flush=True)
    if "STOPPING=1" in text:
        break
