-- Version 2. What a share allows: JSON of tools and slots; an empty object sets no bounds.
ALTER TABLE user_workers ADD COLUMN limits TEXT NOT NULL DEFAULT '{}';
