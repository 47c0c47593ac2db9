"""What the parties share: files handed from one to another, the HTTP client, formats for people. No party's own logic."""
