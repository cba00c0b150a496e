[log]
level = "debug"
