"""Names of people and places for `pocketlab.data.messages`: real ones, and many more built from parts.

A model that has seen a few hundred names learns them by heart; one that has seen ten thousand learns to copy. Every name belongs
to one split by a hash of its text, so that a held-out name is never in the training text, in whatever place it might be used.
"""

from __future__ import annotations

import zlib

SPLITS = ("train", "held_out")
_HELD_OUT_ONE_IN = 8


def split_of(name: str) -> str:
    """Return the split, "train" or "held_out", that a name belongs to: one in eight is held out."""
    return SPLITS[zlib.crc32(name.encode()) % _HELD_OUT_ONE_IN == 0]


def _joined(starts: str, ends: str, between: str = "") -> list[str]:
    return [start + between + end for start in starts.split() for end in ends.split()]


_FIRST = """
Aaliyah Aarav Abdullah Abebe Abena Adaeze Adam Adebayo Adela Adil Aditi Adriana Agnieszka Ahmed Aiko Aileen Ainhoa
Aisha Akira Alba Alejandro Aleksandr Alessia Alexandra Alfonso Alice Alina Alistair Amadou Amara Amelia Amina Amir
Amrita Ana Anahera Anders Andrea Andrzej Aneta Angelo Anika Anil Anja Annika Antoine Anton Antonia Anwar Aoife Aparna
Ariadne Arjun Armando Arne Arturo Asha Asif Astrid Aurelia Axel Ayaan Ayesha Aylin Ayumi Baptiste Barbora Bartosz
Beatriz Bela Benedikt Benjamin Bianca Bilal Birgit Bjarne Bogdan Bongani Boris Branka Brigitte Bruna Bruno Callum
Camila Carlos Carmen Caroline Caterina Cecilia Celine Chiara Chidi Chinedu Chiyo Christos Ciara Clara Claudio Clemens
Conor Cristina Dagmar Dalia Damian Daniela Daria Darko David Deepak Denise Derya Devika Diana Diego Dilara Dimitri
Dinesh Dolores Dorota Drago Duncan Edith Eduardo Efua Eilidh Einar Ekaterina Elena Eleni Elias Elif Elina Elisa Ella
Elsa Emeka Emil Emilia Emre Enrique Erik Esin Esra Esther Ethan Eva Evelyn Ewa Fabian Fabio Farah Farid Fatima
Federica Felix Femi Fernanda Filip Fiona Florian Folake Francesca Franziska Frederik Frida Gabriel Gaelle Georgios
Gerda Gianna Giorgio Giulia Goran Greta Guillaume Gustavo Hadiya Hakim Hana Hanneke Hannes Harald Haruto Hassan Hector
Heidi Helena Hemi Hendrik Henrietta Hiroshi Hugo Ibrahim Ida Idris Ifeoma Ignacio Ilse Imani Ines Ingrid Ioana Irena
Irina Isabel Isla Ismail Ivana Ivo Iwona Jacek Jamila Jan Jana Jasmin Javier Jelena Jerome Jiho Joanna Joaquin Johanna
Jonas Jorge Josefine Jovan Juan Julia Juliette Jun Kaan Kai Kamala Karim Karin Karol Kateryna Kavita Keiko Kenji
Khadija Kiran Klara Kofi Konrad Kwame Lamia Lars Laszlo Latifa Laura Leila Lena Leon Leonie Leticia Lidia Liesel Linh
Linnea Liv Ljiljana Lorenzo Louisa Luca Lucia Ludmila Luis Lukas Magda Mahmoud Maja Malik Manuela Marcel Marek
Margarita Maria Mariam Marie Marina Mario Marisol Markus Marta Martin Mateo Mathilde Matteo Maya Mehmet Mei Mercedes
Mia Michal Miguel Mika Milan Milena Minh Miriam Mirko Mohamed Monika Munira Murat Nadia Naoki Natalia Navid Nele Nia
Nicolas Nikhil Nils Nina Njeri Noah Noor Nora Nuria Obinna Odette Olaf Olga Oliver Olivia Omar Oscar Osman Otto Pablo
Paloma Paola Pascal Patricia Paul Pavel Pedro Petra Philippa Pia Pierre Piotr Pooja Priya Rachel Radek Rafael Rahul
Ramona Rania Raquel Rashid Ravi Rebecca Renata Ricardo Riku Rina Rohan Roland Rosa Roxana Ruben Ruth Saad Sabine Sadia
Sakura Salma Samira Samuel Sandra Sanjay Santiago Sara Satoshi Selin Sergei Shanti Shira Sibusiso Sigrid Silvia Simon
Sinead Sofia Solveig Sonja Stefan Stella Sunita Susanne Svetlana Tadeusz Takumi Tamar Tanja Tariq Tatiana Teresa Thabo
Theo Thierry Thomas Tiago Tobias Tomoko Torsten Tuan Tunde Ulrich Umar Uta Valentina Valerie Vanessa Vasile Vera
Veronika Victor Vijay Viktoria Vinh Viola Vivek Vladimir Wanjiru Wei Wiebke Wilhelm Winston Xenia Ximena Yara Yasmin
Yelena Yosef Yuki Yusuf Yvonne Zainab Zanele Zara Zdenka Zeynep Zofia Zoltan Zuri Anaïs Björn Chloé Dániel Elżbieta
Émile François Gönül Håkon Inés Jérôme José Jürgen Łukasz Małgorzata Märta Naïma Nuño Özlem Raúl René Søren Şebnem
Tómas Ümit Zoë Željko
"""
_FIRST_STARTS = """
Al An Bel Cal Cor Dar El Fen Gal Hal Il Jor Kal Lor Mal Nel Or Per Quin Ros Sel Tal Ul Var Wen Yor Zel Bri Kre Ste Tru
"""
_FIRST_ENDS = """
adan amir anka andro ara ario aya eda eki elio ena endra essa eva ian ida iko ilde ina inda ira isha ito iva ona oran
osh ova uma unde ya wyn
"""
_SURNAMES = """
Abadi Achterberg Adeyemi Aguirre Akhtar Almeida Andersson Antonescu Arslan Asante Bakker Banerjee Barros Bauer Becker
Bennani Bergström Bianchi Bielak Boateng Bouchard Brandt Campbell Carvalho Castillo Chaudhry Chen Christensen Cohen
Costa Cruz Dahl Delgado Demir Diallo Dimitrov Dubois Duarte Dumitru Dvořák Eriksen Espinoza Eze Fernandes Ferrari
Fischer Fitzgerald Fontaine Friedrich Fujimoto García Georgiou Ghosh González Gupta Haddad Hansen Hasegawa Hernández
Hoffmann Horvat Hughes Ibáñez Iliev Ishikawa Ivanova Jansen Jankowski Jensen Jiménez Johansson Kaya Khalil Kim
Kipchoge Koch Kovács Kowalski Krüger Kumar Lambert Larsen Laurent Lehmann Leroy Lindqvist Lopes López MacKenzie
Mahlangu Maier Marchetti Markovic Mbeki Mendoza Meyer Mishra Moreau Moreno Müller Murphy Mwangi Nakamura Navarro
Ndiaye Neumann Nguyen Nielsen Novak Nowak O'Brien O'Connor Okafor Okonkwo Olsen Omondi Onyango Ortega Osei Ozturk
Papadopoulos Park Pereira Peeters Petrov Popescu Qureshi Ramírez Rasmussen Reddy Ribeiro Ricci Rossi Rousseau Sahin
Saito Salazar Santos Sasaki Schmidt Schneider Schubert Sharma Silva Singh Smirnov Sousa Suzuki Svensson Takahashi
Tanaka Teixeira Tesfaye Thapa Tran Turner Usman Vargas Vasquez Vermeulen Villanueva Virtanen Visser Vogel Wagner Walsh
Wang Weber Wójcik Yamamoto Yılmaz Zhang Zimmermann
"""
_SURNAME_STARTS = """
Ahl Alm Bar Bern Borg Bren Brock Car Dal Del Dorn Ek Ell Fal Far Gar Gold Gran Grim Hag Hall Har Hav Hol Ing Kar Kell
Kir Lam Lang Lind Lund Mad Mar Mor Nor Oster Pal Quar Ran Ross Sal San Sil Stan Stein Sund Tor Val Ven Wal Wald West
Win Zan
"""
_SURNAME_ENDS = """
acek adze agni aho ano ara ard arez as ati bach berg blad by den dottir elli eno enko er eris esco feld gaard gren ham
hausen holm iani ides ini ke ler ley lund mann mark ner o off oglu ov qvist rath rup scu sen shaw ski son stad strom
ton vic ville wood
"""
_NORTHERN_STARTS = """
Alder Amber Ash Beck Birch Black Bram Bright Clay Clover Cold Cran Crow Dun East Elm Fair Fern Fox Frost Glen Green
Hart Hazel Heather High Iron Kings Lark Linden Long Maple Marsh Mill Moor North Oak Old Otter Raven Red Ridge Rook
Rowan Salt Sand Silver Spring Stone Swan Thorn Wolf Wren York Abel Brae Dorn Eber Falk Grun Halm Hoch Klee Kron Leer
Neu Ober Rhein Schwan Sonn Tann Unter Vogel Wein
"""
_NORTHERN_ENDS = """
acre bank beck bourne bridge brook bury by cliff combe cott dale den down fell field ford gate ham haven heim hill
holm hurst ingen leigh ley mead mere mont moor mouth pool port quay rise shaw side stead ton tal vale wald wall water
well wick worth
"""
_SOUTHERN_STARTS = """
Al Ar Bal Bar Bel Cal Car Cas Cor Dal Esp Fal Fon Gal Gran Hir Ist Jal Kal Kor Lam Lor Lu Mar Mer Mon Nar Nav Om Or
Pal Par Quin Rav Ros Sal San Ser Sol Tar Tor Um Val Var Ven Ver Vil Yam Zan Zar
"""
_SOUTHERN_ENDS = """
adero ado aga alia ama ana anca andia ano anta aro astra ata avia azzo eda edo ela ello emba ena enza era esca etta
evo ia iba igo ika illo ima ina indi iro isco ita ola ona ora orno osa ova uera una undo ura usa
"""
_ADJECTIVES = """
Amber Black Blue Brass Bright Bronze Copper Crimson Crooked Dancing Dusty Emerald Flying Frozen Gentle Gilded Golden
Happy Hidden Hollow Humble Indigo Iron Ivory Jade Laughing Little Lost Lucky Marble Merry Mighty Misty Old Painted
Patient Pearl Purple Quiet Rolling Royal Ruby Rusty Scarlet Secret Silent Silver Singing Sleepy Tall Thirsty Velvet
Violet Wandering White Wild Wooden Yellow
"""
_THINGS = """
Acorn Anchor Apple Badger Barrel Bear Bell Boat Camel Candle Cherry Compass Cook Crane Cricket Dolphin Donkey Duck
Eagle Elephant Feather Fiddle Fish Fork Fountain Fox Garden Goose Hare Harp Heron Horse Kettle Key Lamp Lantern Lemon
Lion Lobster Mirror Moon Mushroom Olive Orchard Otter Owl Parrot Peacock Pepper Pine Plum Rabbit River Saddle Ship
Spoon Swan Table Tiger Tower Tulip Turtle Violin Whale Wheel Windmill
"""

# Names as people have them, and names built from parts, which no list can hold all of.
FIRST_NAMES = _FIRST.split()
BUILT_FIRST_NAMES = _joined(_FIRST_STARTS, _FIRST_ENDS)
SURNAMES = _SURNAMES.split()
BUILT_SURNAMES = _joined(_SURNAME_STARTS, _SURNAME_ENDS)
PLACE_NAMES = _joined(_NORTHERN_STARTS, _NORTHERN_ENDS) + _joined(_SOUTHERN_STARTS, _SOUTHERN_ENDS)
PAIRED_NAMES = _joined(_ADJECTIVES, _THINGS, " ")

# How a place is called, by sort: {} is its name and # a number from 1 to 199. A room is `in`, all others are `at`.
PLACE_FORMS = {
    "eatery": (
        *("Café {}", "Bar {}", "Restaurant {}", "Bistro {}", "Trattoria {}", "Pizzeria {}", "Tea House {}", "Taverna {}"),
        *("{} Grill", "{} Bakery", "{} Kitchen"),
    ),
    "pub": ("The {}", "The {} Inn", "{} Café", "{} Brewery"),
    "street": (
        *("# {} Street", "# {} Road", "# {} Lane", "# {} Avenue", "{} Road #", "{} Gardens #"),
        *("{}straße #", "{}weg #", "Rue {} #", "Via {} #", "Calle {} #"),
    ),
    "station": ("{} Station", "{} Central", "{} North", "{} South", "{} Junction", "{} West"),
    "bus stop": ("{} Bus Terminal", "{} Bus Station", "{} Crossing", "{} Town Hall", "{} Square"),
    "airport": ("{} Airport", "{} International", "{} City Airport"),
    "harbor": ("{} Harbor", "{} Ferry Terminal", "{} Pier"),
    "room": ("Room {}", "{} Hall", "Lecture Hall {}", "Office {}", "Studio {}", "Seminar Room {}"),
    "venue": ("{} Cinema", "{} Theater", "{} Museum", "{} Park", "{} Stadium", "{} Library", "{} Arena", "{} Pool"),
    "clinic": ("{} Clinic", "Praxis {}", "{} Hospital", "{} Dental Care", "{} Health Center"),
    "shop": ("{} Market", "{} Pharmacy", "{} Books", "{} Hardware", "{} Flowers", "{} Garage", "{} Radio"),
    "school": ("{} School", "{} College", "{} Kindergarten", "{} Music School", "{} Academy"),
}


class Names:
    """The names of one split.

    first, built_first, surnames, built_surnames: of people; places: what `PLACE_FORMS` take; pairs: what pubs take instead.
    """

    def __init__(self, split: str) -> None:
        self.split = split
        self.first = _of_split(FIRST_NAMES, split)
        self.built_first = _of_split(BUILT_FIRST_NAMES, split)
        self.surnames = _of_split(SURNAMES, split)
        self.built_surnames = _of_split(BUILT_SURNAMES, split)
        self.places = _of_split(PLACE_NAMES, split)
        self.pairs = _of_split(PAIRED_NAMES, split)


def _of_split(names: list[str], split: str) -> list[str]:
    return [name for name in dict.fromkeys(names) if split_of(name) == split]
