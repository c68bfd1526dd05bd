"""Alert formats: one file or folder each, found by scan; `issue.messages.check` picks by XML namespace."""
