"""What a command or a script can ask: run, check, stress-test, calibrate, rank, predict, export.

Everything is put together here, and nowhere else; one file for each question.
"""
