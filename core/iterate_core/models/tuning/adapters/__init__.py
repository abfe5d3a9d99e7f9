"""Small trained parts beside the frozen layers of a backbone, by the library peft."""
