"""Message lists of other history providers for Agent Framework, read into threads that `ClewHistoryProvider` goes on with."""
