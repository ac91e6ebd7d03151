-- Names of products in the order of prices: an index of that order is what SQLite needs. Here a list that is filtered by words
-- and sorted by price finds few matches first, or walks.
SELECT 1;
