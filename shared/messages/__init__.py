"""What travels through Redis: one frozen value per message, each carrying one id.

A message is a doorbell. The handler reads the rows and does what they say is due; losing one,
or getting it twice, changes nothing but the moment.
"""
