"""The built-in capabilities: each module exports one object named `capability`."""
