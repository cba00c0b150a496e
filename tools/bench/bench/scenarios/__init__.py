"""What is measured: a file for each scenario of the report, in its order."""
